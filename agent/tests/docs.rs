//! The documents hold together and keep up with the program: every relative link leads to a file,
//! every anchor to a heading, every page of `docs/` is in its index, the README stays short, every
//! flag and every JSON key is explained.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
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
    /// Inline code, each with its line.
    code: Vec<(usize, String)>,
}

impl Document {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a readable document");
        let line_of = |offset: usize| text[..offset].matches('\n').count() + 1;
        let mut document = Self {
            anchors: HashSet::new(),
            links: Vec::new(),
            code: Vec::new(),
        };
        let mut heading: Option<String> = None;
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let title = heading.take().unwrap_or_default();
                    document.add_anchor(&title);
                }
                Event::Text(text) => {
                    if let Some(title) = &mut heading {
                        title.push_str(&text);
                    }
                }
                Event::Code(code) => {
                    if let Some(title) = &mut heading {
                        title.push_str(&code);
                    }
                    let line = line_of(range.start);
                    document.code.push((line, code.into_string()));
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

/// The long flags that the help of a command offers.
fn flags_of(command: &str) -> HashSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_tag52"))
        .args([command, "--help"])
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "tag52 {command} --help");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    help.lines()
        .filter_map(|line| {
            let line = line.trim_start().trim_start_matches("-o, ");
            let flag = line.strip_prefix("--")?;
            let end = flag.find(|c: char| !c.is_ascii_lowercase() && c != '-');
            Some(format!("--{}", &flag[..end.unwrap_or(flag.len())]))
        })
        .collect()
}

#[test]
fn the_page_of_the_command_line_has_every_flag_and_no_other() {
    let page = Document::read(&root().join("docs/cli.md"));
    let documented: HashSet<String> = page
        .code
        .iter()
        .filter(|(_, code)| code.starts_with("--"))
        .map(|(_, code)| code.split([' ', '=']).next().unwrap_or(code).to_owned())
        .collect();
    let offered: HashSet<String> = ["run", "top", "record", "replay", "export"]
        .into_iter()
        .flat_map(flags_of)
        .filter(|flag| flag != "--help")
        .collect();
    let mut missing: Vec<_> = offered.difference(&documented).collect();
    let mut stale: Vec<_> = documented.difference(&offered).collect();
    missing.sort();
    stale.sort();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "docs/cli.md lacks {missing:?}, and explains {stale:?} that no command has"
    );
}

/// The keys that the JSON writer names in its source, such as `self.int("age_ns", ..)`.
fn json_keys() -> HashSet<String> {
    let folder = root().join("agent/src/outputs/json");
    let mut keys = HashSet::new();
    for entry in fs::read_dir(folder).expect("the folder of the JSON writer") {
        let path = entry.expect("a readable entry").path();
        if path.ends_with("tests.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap_or_default();
        for call in source.split("self.").skip(1) {
            let argument = call
                .split_once("(\"")
                .filter(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            if let Some((_, rest)) = argument {
                keys.extend(rest.split('"').next().map(str::to_owned));
            }
        }
    }
    keys
}

#[test]
fn the_page_of_the_json_output_has_every_key() {
    let page = fs::read_to_string(root().join("docs/json.md")).expect("the page");
    let words: HashSet<&str> = page
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let keys = json_keys();
    assert!(keys.len() > 60, "only {} keys found: {keys:?}", keys.len());
    let mut missing: Vec<_> = keys
        .iter()
        .filter(|key| !words.contains(key.as_str()))
        .collect();
    missing.sort();
    assert!(missing.is_empty(), "not in docs/json.md: {missing:?}");
}

/// Every `Cargo.toml` below `folder`.
fn manifests(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !SKIPPED.contains(&name.as_ref()) {
            found.extend(manifests(&path));
        } else if name == "Cargo.toml" {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_dependency_is_explained() {
    let page = Document::read(&root().join("docs/dependencies.md"));
    let explained: HashSet<String> = page.code.into_iter().map(|(_, code)| code).collect();
    let (mut named, mut ours) = (HashSet::new(), HashSet::new());
    for path in manifests(&root()) {
        let text = fs::read_to_string(path).expect("a readable manifest");
        let mut section = "";
        for line in text.lines() {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']);
            } else if let Some((key, value)) = line.split_once('=') {
                let key = key.trim().split('.').next().unwrap_or_default();
                if section == "package" && key == "name" {
                    ours.insert(value.trim().trim_matches('"').to_owned());
                } else if section.ends_with("dependencies") && !key.starts_with('#') {
                    named.insert(key.to_owned());
                }
            }
        }
    }
    let mut missing: Vec<_> = named
        .iter()
        .filter(|name| !ours.contains(*name) && !explained.contains(*name))
        .collect();
    missing.sort();
    assert!(
        missing.is_empty(),
        "not in docs/dependencies.md: {missing:?}"
    );
}
