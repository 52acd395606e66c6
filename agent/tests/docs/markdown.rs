//! What the documents offer to links, and where their own links lead.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Folders without documents of ours; `src` has a template of one.
pub(super) const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", "src"];

/// The workspace.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Markdown file below `folder`, in a stable order.
pub(super) fn documents(folder: &Path) -> Vec<PathBuf> {
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
pub(super) struct Document {
    pub(super) anchors: HashSet<String>,
    /// Destinations as written, each with its line.
    pub(super) links: Vec<(usize, String)>,
    /// Inline code, each with its line.
    pub(super) code: Vec<(usize, String)>,
}

impl Document {
    pub(super) fn read(path: &Path) -> Self {
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
