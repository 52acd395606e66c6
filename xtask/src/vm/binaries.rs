//! What is run in the guests: the agent and the live tests, built here.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::task;

/// The binaries and the names of the tests to run.
#[derive(Debug)]
pub(super) struct TestBinaries {
    /// The agent.
    pub(super) agent: PathBuf,
    /// The lab's binary with the victims, beside the tests.
    pub(super) victims: PathBuf,
    /// The live tests' binary.
    pub(super) tests: PathBuf,
    /// The tests to run.
    pub(super) names: Vec<String>,
}

impl TestBinaries {
    /// Builds the tests and picks those whose names are wanted.
    pub(super) fn build(agent: PathBuf, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        task::build(&["lab", "demo"])?;
        let tests = build_tests()?;
        let output = Command::new(&tests)
            .args(["--list", "--format", "terse"])
            .output()
            .with_context(|| format!("cannot run {}", tests.display()))?;
        let names: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .filter(|name| wanted(name))
            .map(str::to_owned)
            .collect();
        ensure!(!names.is_empty(), "no live test has such a name");
        Ok(Self {
            agent,
            victims: workspace::target().join("debug/victims"),
            tests,
            names,
        })
    }
}

/// Builds the live tests.
fn build_tests() -> Result<PathBuf> {
    let arguments = ["test", "--package", "live", "--test", "live", "--no-run"];
    eprintln!("+ cargo {}", arguments.join(" "));
    let output = workspace::cargo()
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "the live tests cannot be built");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "live")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built no live tests")
}
