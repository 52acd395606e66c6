//! The public surface of the library: what other crates can name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{Item, ItemUse, UseTree, Visibility};

/// One line for each public name, sorted: `domain::Part`.
pub(crate) fn of_library() -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names = Vec::new();
    read(&src.join("lib.rs"), &src, "", &mut names);
    names.sort();
    names
}

fn read(file: &Path, children: &Path, module: &str, names: &mut Vec<String>) {
    let text = fs::read_to_string(file).expect("readable");
    for item in syn::parse_file(&text).expect("Rust").items {
        let name = match item {
            Item::Mod(item) if is_public(&item.vis) => {
                let (file, folder) = place(children, &item.ident.to_string());
                read(&file, &folder, &format!("{module}{}::", item.ident), names);
                continue;
            }
            Item::Use(item) if is_public(&item.vis) => {
                reexports(&item, module, names);
                continue;
            }
            Item::Struct(item) if is_public(&item.vis) => item.ident.to_string(),
            Item::Enum(item) if is_public(&item.vis) => item.ident.to_string(),
            Item::Trait(item) if is_public(&item.vis) => item.ident.to_string(),
            Item::Type(item) if is_public(&item.vis) => item.ident.to_string(),
            Item::Const(item) if is_public(&item.vis) => item.ident.to_string(),
            Item::Fn(item) if is_public(&item.vis) => format!("{}()", item.sig.ident),
            _ => continue,
        };
        names.push(format!("{module}{name}"));
    }
}

const fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The file of a module, and the folder of its children.
fn place(parent: &Path, name: &str) -> (PathBuf, PathBuf) {
    let folder = parent.join(name);
    let file = folder.join("mod.rs");
    if file.is_file() {
        (file, folder)
    } else {
        (folder.with_extension("rs"), folder)
    }
}

fn reexports(item: &ItemUse, module: &str, names: &mut Vec<String>) {
    let mut trees = vec![&item.tree];
    while let Some(tree) = trees.pop() {
        match tree {
            UseTree::Path(path) => trees.push(&path.tree),
            UseTree::Group(group) => trees.extend(&group.items),
            UseTree::Name(name) => names.push(format!("{module}{}", name.ident)),
            UseTree::Rename(name) => names.push(format!("{module}{}", name.rename)),
            UseTree::Glob(_) => names.push(format!("{module}*")),
        }
    }
}
