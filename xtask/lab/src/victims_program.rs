//! The lab's program `victims` (see `bin/victims.rs`): its path and its commands.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

/// Returns the path of the program.
pub fn path() -> Result<PathBuf> {
    workspace::program("victims")
}

/// Returns a command that runs `victim`, `crowd`, `neighbour`, `spin` or `drain`.
pub fn command(process: &str) -> Result<Command> {
    let mut command = Command::new(path()?);
    command.arg(process);
    Ok(command)
}
