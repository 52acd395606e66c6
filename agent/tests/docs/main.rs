//! The documents hold together and keep up with the program: every relative link leads to a file,
//! every anchor to a heading, every page of `docs/` is in its index, the README stays short, every
//! flag, JSON key, loss and dependency is explained, and every metric that a page names exists.

mod markdown;
mod reference;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Component, Path, PathBuf},
};

use markdown::{Document, documents, root};

/// Lines of the README at most.
const MAX_README_LINES: usize = 150;

/// Columns of a line of prose at most. Tables and code blocks may be wider.
const MAX_COLUMNS: usize = 100;

/// The path without `.` and `..`, so that two ways to one file are equal.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = root().canonicalize().expect("a workspace");
    let all: HashMap<PathBuf, Document> = documents(&root)
        .into_iter()
        .map(|path| (path.clone(), Document::read(&path)))
        .collect();
    let mut broken = Vec::new();
    for (path, document) in &all {
        for (line, link) in &document.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                plain(&path.parent().expect("a folder").join(file))
            };
            let leads = target.exists()
                && (anchor.is_empty()
                    || all
                        .get(&target)
                        .is_some_and(|target| target.anchors.contains(anchor)));
            if !leads {
                let shown = path.strip_prefix(&root).unwrap_or(path).display();
                broken.push(format!("{shown}:{line}: {link}"));
            }
        }
    }
    broken.sort();
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn every_page_is_in_the_index() {
    let docs = root().join("docs");
    let index = Document::read(&docs.join("README.md"));
    let linked: HashSet<&str> = index.links.iter().map(|(_, link)| link.as_str()).collect();
    let missing: Vec<String> = documents(&docs)
        .iter()
        .filter_map(|path| path.strip_prefix(&docs).ok()?.to_str())
        .filter(|page| *page != "README.md" && !linked.contains(page))
        .map(str::to_owned)
        .collect();
    assert!(missing.is_empty(), "not in docs/README.md: {missing:?}");
}

#[test]
fn paths_named_for_contributors_exist() {
    const TOP: [&str; 8] = [
        ".ci/",
        "agent/",
        "agent-common/",
        "agent-ebpf/",
        "dashboards/",
        "deploy/",
        "docs/",
        "xtask/",
    ];
    let mut missing = Vec::new();
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/dependencies.md"] {
        for (line, code) in Document::read(&root().join(page)).code {
            let is_path = TOP.iter().any(|top| code.starts_with(top)) && !code.contains([' ', '*']);
            if is_path && !root().join(&code).exists() {
                missing.push(format!("{page}:{line}: {code}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such path:\n{}", missing.join("\n"));
}

#[test]
fn the_readme_is_short_and_opens_with_the_two_commands() {
    let text = fs::read_to_string(root().join("README.md")).expect("a README");
    let lines = text.lines().count();
    assert!(
        lines <= MAX_README_LINES,
        "README.md has {lines} lines, more than {MAX_README_LINES}: move some to docs/"
    );
    let top: Vec<&str> = text.lines().take(20).collect();
    let block = top.iter().position(|line| *line == "```sh");
    let commands = &top[block.expect("an sh block in the first 20 lines")..];
    for command in ["cargo xtask demo", "cargo xtask test"] {
        assert!(
            commands.iter().any(|line| line.starts_with(command)),
            "README.md does not open with `{command}`"
        );
    }
}

#[test]
fn lines_of_prose_keep_to_the_width() {
    let root = root().canonicalize().expect("a workspace");
    let mut wide = Vec::new();
    for path in documents(&root) {
        let text = fs::read_to_string(&path).expect("a readable document");
        let mut in_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            let fence = line.trim_start().starts_with("```");
            in_code ^= fence;
            let exempt = in_code || fence || line.starts_with(['|', '!']) || !line.contains(' ');
            if !exempt && line.chars().count() > MAX_COLUMNS {
                let shown = path.strip_prefix(&root).unwrap_or(&path).display();
                wide.push(format!("{shown}:{number}"));
            }
        }
    }
    assert!(
        wide.is_empty(),
        "lines of more than {MAX_COLUMNS} columns:\n{}",
        wide.join("\n")
    );
}
