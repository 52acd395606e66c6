//! The modules of the library and which of them use which, read from their `use` declarations and
//! paths.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

use super::sources;

/// A module by its path below the crate: `["model", "store"]`.
type Path = Vec<String>;

/// A module that names something of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: Path,
    pub(crate) to: Path,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from.join("::"), self.to.join("::"))
    }
}

/// The library's modules.
pub(crate) struct Modules {
    modules: BTreeSet<Path>,
    /// (module, name) of what a module re-exports, and the path that it re-exports.
    exports: BTreeMap<(Path, String), Path>,
    uses: Vec<(Path, Path)>,
}

impl Modules {
    /// Reads the library.
    pub(crate) fn read() -> Self {
        let mut modules = Self {
            modules: BTreeSet::new(),
            exports: BTreeMap::new(),
            uses: Vec::new(),
        };
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for (path, text) in sources::library() {
            let inner = path
                .strip_prefix(&src)
                .expect("below src")
                .with_extension("");
            let mut module: Path = inner
                .components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            if module
                .last()
                .is_some_and(|last| last == "mod" || last == "lib")
            {
                module.pop();
            }
            let file = syn::parse_file(&text).expect("Rust");
            modules.modules.insert(module.clone());
            let mut reader = Reader {
                module: &module,
                modules: &mut modules,
            };
            reader.visit_file(&file);
        }
        modules
    }

    /// Which module names something of which other one; re-exports are followed to where the name
    /// comes from.
    pub(crate) fn edges(&self) -> BTreeSet<Edge> {
        let mut edges = BTreeSet::new();
        for (from, path) in &self.uses {
            let to = self.home(path, 8);
            if !from.is_empty() && !to.is_empty() && to != *from {
                let from = from.clone();
                edges.insert(Edge { from, to });
            }
        }
        edges
    }

    /// The module in which the last segment of a path is defined.
    fn home(&self, path: &[String], depth: usize) -> Path {
        let mut end = path.len();
        while end > 0 && !self.modules.contains(&path[..end]) {
            end -= 1;
        }
        let module = path[..end].to_vec();
        if let (Some(name), true) = (path.get(end), depth > 0)
            && let Some(target) = self.exports.get(&(module.clone(), name.clone()))
        {
            return self.home(target, depth - 1);
        }
        module
    }

    /// Groups of sibling modules that use each other, one line each.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut siblings: BTreeMap<Path, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for Edge { from, to } in self.edges() {
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                let graph = siblings.entry(from[..shared].to_vec()).or_default();
                graph.entry(a.clone()).or_default().insert(b.clone());
            }
        }
        let mut circles = Vec::new();
        for (parent, graph) in siblings {
            for name in graph.keys() {
                let reached = reachable(&graph, name);
                if reached.contains(name) {
                    let partners: Vec<_> = reached
                        .iter()
                        .filter(|other| reachable(&graph, other).contains(name))
                        .cloned()
                        .collect();
                    circles.push(format!("{}: {}", parent.join("::"), partners.join(", ")));
                }
            }
        }
        circles.dedup();
        circles
    }
}

fn reachable(graph: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(name) = next.pop() {
        for other in graph.get(&name).into_iter().flatten() {
            if reached.insert(other.clone()) {
                next.push(other.clone());
            }
        }
    }
    reached
}

struct Reader<'a> {
    module: &'a Path,
    modules: &'a mut Modules,
}

impl Reader<'_> {
    /// The path from the crate; `None` for names of other crates.
    fn absolute(&self, segments: &[String]) -> Option<Path> {
        let first = segments.first()?;
        match first.as_str() {
            "crate" => Some(segments[1..].to_vec()),
            "self" => Some([self.module.clone(), segments[1..].to_vec()].concat()),
            "super" => {
                let up = segments.iter().take_while(|s| *s == "super").count();
                let base = self.module.len().checked_sub(up)?;
                Some([&self.module[..base], &segments[up..]].concat())
            }
            // A child of this module.
            _ => {
                let child = [self.module.clone(), vec![first.clone()]].concat();
                let inner = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("src")
                    .join(child.join("/"));
                let there = inner.is_dir() || inner.with_extension("rs").is_file();
                there.then(|| [self.module.clone(), segments.to_vec()].concat())
            }
        }
    }

    fn leaves(tree: &UseTree, before: &[String], all: &mut Vec<(Path, String)>) {
        let mut path = before.to_vec();
        match tree {
            UseTree::Path(p) => {
                path.push(p.ident.to_string());
                Self::leaves(&p.tree, &path, all);
            }
            UseTree::Name(name) => {
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                let last = path.last().cloned().unwrap_or_default();
                all.push((path, last));
            }
            UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                all.push((path, name.rename.to_string()));
            }
            UseTree::Glob(_) => all.push((path, String::new())),
            UseTree::Group(group) => {
                for tree in &group.items {
                    Self::leaves(tree, &path, all);
                }
            }
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        visit::visit_item_mod(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut leaves = Vec::new();
        Self::leaves(&item.tree, &[], &mut leaves);
        for (segments, name) in leaves {
            let Some(path) = self.absolute(&segments) else {
                continue;
            };
            if !matches!(item.vis, Visibility::Inherited) {
                let key = (self.module.clone(), name);
                self.modules.exports.insert(key, path.clone());
            }
            self.modules.uses.push((self.module.clone(), path));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments
            .first()
            .is_some_and(|first| first == "crate" || first == "super")
            && let Some(path) = self.absolute(&segments)
        {
            self.modules.uses.push((self.module.clone(), path));
        }
        visit::visit_path(self, path);
    }
}
