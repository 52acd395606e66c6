//! The structure of the library, held by tests: data flows one way through the rooms, no two
//! modules use each other, and no two types share a name by accident.

mod modules;
mod names;
mod sources;
mod surface;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
};

use modules::{Edge, Modules};

/// The rooms of `agent/src`, lowest first: each may use those above it in this list, never one
/// below. What several rooms share goes into a lower one.
const ROOMS: &[&str] = &[
    // What everybody shares.
    "domain",
    "clock",
    "readiness",
    "tls",
    "signals",
    // Figures and what follows from them.
    "stats",
    "what_if",
    "verdict",
    // From the kernel to the model.
    "kernel",
    "events",
    "streams",
    "join",
    "attribution",
    "model",
    // Who is who, and whom to follow.
    "kube",
    "host",
    "targets",
    // From the model to whoever reads it.
    "outputs",
    // The recorder is one of the pipeline's sinks; replay and export are sources of it.
    "pipeline",
    "recording",
    "engine",
];

#[test]
fn the_rooms_use_each_other_one_way() {
    let modules = Modules::read();
    let rank: BTreeMap<&str, usize> = ROOMS.iter().enumerate().map(|(i, &r)| (r, i)).collect();
    let edges = modules.edges();
    let rooms: BTreeSet<&str> = edges.iter().map(|e| e.from[0].as_str()).collect();
    for room in rooms {
        assert!(rank.contains_key(room), "{room} has no place in ROOMS");
    }
    let back: BTreeSet<String> = edges
        .iter()
        .filter(|e| e.from[0] != e.to[0])
        .filter(|e| rank.get(e.from[0].as_str()) < rank.get(e.to[0].as_str()))
        .map(Edge::to_string)
        .collect();
    assert!(back.is_empty(), "edges against the flow:\n{}", lines(&back));
}

#[test]
fn no_two_modules_use_each_other() {
    let modules = Modules::read();
    let circles = modules.circles();
    let text: BTreeSet<String> = circles.into_iter().collect();
    assert!(text.is_empty(), "circles:\n{}", lines(&text));
}

#[test]
fn the_library_knows_no_command_line() {
    for (path, text) in sources::library() {
        assert!(!text.contains("clap"), "{} uses clap", path.display());
    }
}

#[test]
fn names_of_types_are_unique() {
    let shared: BTreeSet<String> = names::shared().into_iter().collect();
    assert!(
        shared.is_empty(),
        "types that share a name: rename one, or add it to names::SAME_CONCEPT with the reason:\n{}",
        lines(&shared)
    );
}

/// Set in the environment, the committed file is written anew.
const UPDATE: &str = "UPDATE_SURFACE";

#[test]
fn the_public_surface_is_the_committed_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/structure/surface.txt");
    let mut surface = surface::of_library().join("\n");
    surface.push('\n');
    if env::var_os(UPDATE).is_some() {
        fs::write(&file, &surface).expect("writable");
    }
    let committed = fs::read_to_string(&file).expect("readable");
    assert!(
        surface == committed,
        "the public surface has changed: keep what no other crate uses private, else run\n\
         {UPDATE}=1 cargo test -p tag52 --test structure\nand commit {}; it is now\n{surface}",
        file.display()
    );
}

fn lines(all: &BTreeSet<String>) -> String {
    all.iter().cloned().collect::<Vec<_>>().join("\n")
}
