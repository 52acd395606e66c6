//! Commands of the lab's binary `victims` (see `bin/victims.rs`).

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

/// Returns the path of the binary.
pub fn binary() -> Result<PathBuf> {
    workspace::program("victims")
}

/// Returns a command that runs `victim`, `crowd`, `neighbour`, `spin` or `drain`.
pub fn command(process: &str) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.arg(process);
    Ok(command)
}
