//! `cargo xtask run` and `top`: the agent with the rights it needs.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::toolchain;

/// Builds the agent and becomes `tag52 COMMAND ARGS`, through sudo when not root. Returns only on
/// failure.
pub(crate) fn run(subcommand: &str, arguments: &[String]) -> Result<()> {
    let binary = toolchain::build_agent()?;
    let mut command = if workspace::is_root() {
        Command::new(&binary)
    } else {
        workspace::warm_sudo()?;
        let mut command = Command::new("sudo");
        command.arg("--").arg(&binary);
        command
    };
    Err(command.arg(subcommand).args(arguments).exec())
        .with_context(|| format!("cannot run {}", binary.display()))
}
