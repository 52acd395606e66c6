//! Runs queries with Perfetto's trace processor.

use std::{env, path::Path, process::Command};

pub(crate) type Rows = Vec<Vec<serde_json::Value>>;

/// The rows of each query; `None` where the trace processor is missing. One that fails fails the
/// test.
pub(crate) fn query(trace: &Path, queries: &[&str]) -> Option<Vec<Rows>> {
    let Some(folder) = env::var_os("TAG52_PERFETTO").filter(|folder| !folder.is_empty()) else {
        skip("TAG52_PERFETTO names no folder with Perfetto's trace processor");
        return None;
    };
    if Command::new("node").arg("--version").output().is_err() {
        skip("Perfetto's trace processor runs in Node.js, and there is no `node`");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/perfetto/query.mjs");
    let mut node = Command::new("node");
    let output = node
        .arg(script)
        .arg(folder)
        .arg(trace)
        .args(queries)
        .output();
    let output = output.expect("node runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let rows = |line| serde_json::from_str(line).expect("JSON");
    let answers: Vec<Rows> = text.lines().map(rows).collect();
    assert_eq!(answers.len(), queries.len());
    Some(answers)
}

/// Skips a test without its oracle, and fails it where `CI` is `true`.
fn skip(reason: &str) {
    let ci = env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci, "CI=true, and {reason}");
    eprintln!("skipped: {reason}");
}

pub(crate) fn int(value: &serde_json::Value) -> i64 {
    value
        .as_i64()
        .unwrap_or_else(|| panic!("{value} is no integer"))
}
