//! Commands of the lab's own binary, `victims` (see `bin/victims.rs`).

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

/// Where it is.
pub fn binary() -> Result<PathBuf> {
    workspace::program("victims")
}

/// One of its processes: `victim`, `crowd`, `neighbour`, `spin` or `drain`.
pub fn command(process: &str) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.arg(process);
    Ok(command)
}
