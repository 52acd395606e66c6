//! The sources of the workspace, as text.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR"));
    agent.parent().expect("the workspace").to_path_buf()
}

/// The library of the agent, without the binary's own modules and without unit tests.
pub(crate) fn library() -> Vec<(PathBuf, String)> {
    let src = root().join("agent/src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    files.retain(|(path, _)| {
        let inner = path.strip_prefix(&src).expect("below src");
        let first = inner.components().next().expect("a name");
        let first = first.as_os_str().to_string_lossy();
        !matches!(&*first, "main.rs" | "cli" | "logger.rs") && !is_test(inner)
    });
    files
}

/// Every crate of the workspace, without tests.
pub(crate) fn workspace() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in [
        "agent/src",
        "agent-common/src",
        "agent-ebpf/src",
        "xtask",
        "dashboards",
    ] {
        collect(&root().join(folder), &mut files);
    }
    files.retain(|(path, _)| !is_test(path));
    files
}

/// Where a file is, from the root of the workspace.
pub(crate) fn relative(path: &Path) -> String {
    let inner = path.strip_prefix(root()).unwrap_or(path);
    inner.display().to_string()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part == "tests"
            || part == "tests.rs"
            || part == "error_texts.rs"
            || part.ends_with("_tests.rs")
    })
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path
                .file_name()
                .is_some_and(|name| name != "target" && name != "node_modules")
            {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("readable");
            files.push((path, text));
        }
    }
}
