//! Tasks that are crates of their own: built when they are asked for, and nothing else with them.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

/// A binary of the workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    binary: &'static str,
    /// The packages of the binary and of those that it starts.
    packages: &'static [&'static str],
}

pub(crate) const DEMO: Task = Task {
    binary: "demo",
    packages: &["demo"],
};
pub(crate) const VERIFY: Task = Task {
    binary: "verify",
    packages: &["verify", "lab"],
};
pub(crate) const BENCH: Task = Task {
    binary: "bench",
    packages: &["verify", "lab"],
};
pub(crate) const DASHBOARDS: Task = Task {
    binary: "dashboards",
    packages: &["dashboards", "demo", "lab"],
};
pub(crate) const SCREENSHOTS: Task = Task {
    binary: "screenshots",
    packages: &["screenshots", "dashboards", "demo", "lab"],
};

impl Task {
    /// Builds the task and becomes it. Returns only on failure.
    pub(crate) fn exec(self, arguments: &[String]) -> Result<()> {
        let mut command = self.build()?;
        Err(command.args(arguments).exec()).with_context(|| format!("cannot run {}", self.binary))
    }

    /// Builds the task and runs it to its end.
    pub(crate) fn run(self, arguments: &[&str]) -> Result<()> {
        workspace::run(self.build()?.args(arguments))
    }

    fn build(self) -> Result<Command> {
        build(self.packages)?;
        Ok(Command::new(
            workspace::target().join("debug").join(self.binary),
        ))
    }
}

/// Builds packages with their binaries.
pub(crate) fn build(packages: &[&str]) -> Result<()> {
    let mut command = workspace::cargo();
    command.arg("build");
    for package in packages {
        command.args(["--package", package]);
    }
    workspace::run(&mut command)
}
