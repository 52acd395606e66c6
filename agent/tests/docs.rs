//! The documents hold together: every relative link leads to a file, every anchor to a heading,
//! every page of `docs/` is in its index, and the README stays short.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Component, Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Lines of the README at most.
const MAX_README_LINES: usize = 150;

/// Columns of a line of prose at most. Tables and code blocks may be wider.
const MAX_COLUMNS: usize = 100;

/// Folders without documents of ours; `src` has a template of one.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", "src"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Markdown file below `folder`, in a stable order.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !SKIPPED.contains(&name.as_ref()) {
            found.extend(documents(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// What a document offers to links and where its own links lead.
struct Document {
    anchors: HashSet<String>,
    /// Destinations as written, each with its line.
    links: Vec<(usize, String)>,
}

impl Document {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a readable document");
        let line_of = |offset: usize| text[..offset].matches('\n').count() + 1;
        let mut document = Self {
            anchors: HashSet::new(),
            links: Vec::new(),
        };
        let mut heading: Option<String> = None;
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let title = heading.take().unwrap_or_default();
                    document.add_anchor(&title);
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(title) = &mut heading {
                        title.push_str(&text);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let line = line_of(range.start);
                    document.links.push((line, dest_url.into_string()));
                }
                _ => {}
            }
        }
        document
    }

    /// Adds the anchor that GitHub gives to a heading: lower case, spaces as hyphens, no other
    /// punctuation; a repeated one is numbered.
    fn add_anchor(&mut self, title: &str) {
        let anchor: String = title
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c => c.is_alphanumeric().then_some(c),
            })
            .collect();
        let mut unique = anchor.clone();
        let mut n = 0;
        while !self.anchors.insert(unique.clone()) {
            n += 1;
            unique = format!("{anchor}-{n}");
        }
    }
}

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
