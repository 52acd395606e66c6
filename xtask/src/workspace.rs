//! Where things are, and running cargo there.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, ensure};

/// The workspace's folder.
pub fn root() -> PathBuf {
    // Set by `cargo run` and `cargo test`; the other one is where this binary was built.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest
        .parent()
        .map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Where the tools live that the build needs. Always inside the workspace, whatever
/// CARGO_TARGET_DIR says.
pub fn tools() -> PathBuf {
    root().join("target/tools")
}

/// The agent's release binary.
pub fn agent() -> PathBuf {
    target().join("release/tag52")
}

/// A command that runs in the workspace's folder.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Shows a command, runs it with its output passed through, and fails if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("+ {shown}");
    let status = status(command)?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// Builds the agent and returns its binary.
pub fn build_agent() -> Result<PathBuf> {
    run(command("cargo").args(["build", "--release", "--package", "tag52"]))?;
    let binary = agent();
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

/// Whether we are root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Makes sure that sudo works from here on without asking again.
pub fn warm_sudo() -> Result<()> {
    let status = Command::new("sudo").arg("-v").status();
    ensure!(
        status.is_ok_and(|status| status.success()),
        "the agent loads probes into the kernel and needs root: become root or install sudo"
    );
    Ok(())
}

fn status(command: &mut Command) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .status()
        .with_context(|| format!("cannot run {name}: is it installed and in PATH?"))
}

fn show(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
