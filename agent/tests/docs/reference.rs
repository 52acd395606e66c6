//! The reference pages against the program: flags, JSON keys, metrics, losses, dependencies.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use agent_common::ProbeCounter;

use super::markdown::{Document, SKIPPED, documents, root};

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

#[test]
fn every_metric_that_a_page_names_exists() {
    let root = root().canonicalize().expect("a workspace");
    let text = |path: &Path| fs::read_to_string(path).expect("a readable file");
    let metrics = text(&root.join("docs/metrics.md"));
    let rules = text(&root.join("dashboards/rules.yaml"));
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
    let mut unknown = Vec::new();
    for path in documents(&root) {
        for word in text(&path).split(|c| !is_part(c)) {
            let suffixes = ["_bucket", "_count", "_sum"];
            let family = suffixes
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix))
                .unwrap_or(word);
            let is_there = if word.contains(":tag52_") {
                rules.contains(&format!("record: {word}\n"))
            } else {
                !word.starts_with("tag52_") || metrics.contains(&format!("`{family}`"))
            };
            if !is_there {
                let shown = path.strip_prefix(&root).unwrap_or(&path).display();
                unknown.push(format!("{shown}: {word}"));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "no such metric:\n{}",
        unknown.join("\n")
    );
}

#[test]
fn every_loss_and_anomaly_of_the_probes_is_explained() {
    let page = Document::read(&root().join("docs/troubleshooting.md"));
    let explained: HashSet<String> = page.code.into_iter().map(|(_, code)| code).collect();
    let missing: Vec<_> = ProbeCounter::ALL
        .iter()
        // These count what discovery found: `health.discovery`.
        .filter(|counter| {
            !matches!(
                counter,
                ProbeCounter::StreamFix | ProbeCounter::StreamNotFix
            )
        })
        .map(|counter| counter.name())
        .filter(|name| !explained.contains(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "not in docs/troubleshooting.md: {missing:?}"
    );
}
