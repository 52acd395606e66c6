//! The tests themselves.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::oracles::Oracles;

/// The live tests that need neither an image nor podman.
const LIVE: [&str; 8] = [
    "--test", "live", "--test", "holders", "--test", "metrics", "--test", "record",
];

/// Environment variables that sudo preserves for the live tests.
const PRESERVED_VARIABLES: &str = "TAG52_BIN,TAG52_PROMTOOL,CARGO_MANIFEST_DIR,CARGO_TARGET_DIR,CI";

/// The agent under test, its image and the oracles.
#[derive(Debug)]
pub(super) struct AgentUnderTest {
    /// The agent's binary.
    pub(super) agent: PathBuf,
    /// The folder of its image; only as root.
    pub(super) image: Option<PathBuf>,
    pub(super) oracles: Oracles,
}

impl AgentUnderTest {
    /// Runs all tests. `filter` goes to the test binaries.
    pub(super) fn test(&self, filter: &[String]) -> Result<()> {
        if workspace::is_root() {
            return run(
                self.cargo(&["--workspace", "--exclude", "agent-ebpf"]),
                filter,
            );
        }
        // Only the live tests load probes; only their binaries run as root, and nothing is built as
        // root.
        let others = [
            "--workspace",
            "--exclude",
            "agent-ebpf",
            "--exclude",
            "live",
        ];
        run(self.cargo(&others), filter)?;
        workspace::warm_sudo()?;
        let mut live = self.cargo(&["--package", "live"]);
        let host = host()?.to_uppercase().replace('-', "_");
        live.args(LIVE).env(
            format!("CARGO_TARGET_{host}_RUNNER"),
            format!("sudo -n --preserve-env={PRESERVED_VARIABLES}"),
        );
        run(live, filter)
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let path = |path: &Option<PathBuf>| path.clone().unwrap_or_default();
        let mut command = workspace::cargo();
        command
            .arg("test")
            .args(arguments)
            .env("TAG52_BIN", &self.agent)
            .env("TAG52_IMAGE", path(&self.image))
            .env("TAG52_PERFETTO", path(&self.oracles.trace_processor))
            .env("TAG52_PROMTOOL", path(&self.oracles.promtool));
        command
    }
}

fn run(mut command: Command, filter: &[String]) -> Result<()> {
    if !filter.is_empty() {
        command.arg("--").args(filter.iter().map(OsStr::new));
    }
    workspace::run(&mut command)
}

/// The host's target triple.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}
