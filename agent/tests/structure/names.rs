//! The names of the workspace's types.

use std::collections::BTreeMap;

use syn::{Item, ItemMod};

use super::sources;

/// Names that stand for one concept in several forms, and why.
const SAME_CONCEPT: &[(&str, &str)] = &[
    (
        "Bench",
        "the lab's bench, and the form of it in which the live tests panic on errors",
    ),
    ("Cli", "the command line of a program, one per binary"),
];

/// Names of several types, one line each with the files.
pub(crate) fn shared() -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources::workspace() {
        let file = syn::parse_file(&text).expect("Rust");
        let mut names = Vec::new();
        collect(&file.items, &mut names);
        for name in names {
            places
                .entry(name)
                .or_default()
                .push(sources::relative(&path));
        }
    }
    places
        .into_iter()
        .filter(|(name, files)| {
            files.len() > 1 && !SAME_CONCEPT.iter().any(|(same, _)| same == name)
        })
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect()
}

fn collect(items: &[Item], names: &mut Vec<String>) {
    for item in items {
        match item {
            Item::Struct(item) => names.push(item.ident.to_string()),
            Item::Enum(item) => names.push(item.ident.to_string()),
            Item::Trait(item) => names.push(item.ident.to_string()),
            Item::Type(item) => names.push(item.ident.to_string()),
            Item::Mod(ItemMod {
                ident,
                content: Some((_, items)),
                ..
            }) if ident != "tests" => collect(items, names),
            _ => {}
        }
    }
}
