//! Where things are in the workspace, and commands and child processes run there.

#![expect(
    clippy::missing_errors_doc,
    reason = "every function runs something and reports what failed"
)]

pub mod child;
mod nested;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context as _, Result, ensure};

pub use self::nested::cargo;

/// The workspace's folder.
pub fn root() -> PathBuf {
    // Set by `cargo run` and `cargo test`; the other one is where this binary was built.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let root = manifest
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file());
    root.map_or_else(|| PathBuf::from("."), PathBuf::from)
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

/// The agent that was asked for, or else one that is built now, together with its toolchain.
pub fn agent_or_build(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    run(cargo().args(["xtask", "build"]))?;
    let binary = agent();
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

/// A binary of another crate of the workspace, which cargo has put beside the running one.
///
/// # Errors
/// It has not been built: cargo builds the binaries of the packages it is given, not those of the
/// libraries they need.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the running program")?;
    // Tests are one folder further down.
    let mut folders = own.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
        .with_context(|| {
            format!(
                "no {name} beside {}: run `cargo build` first",
                own.display()
            )
        })
}

/// Runs a command with its output on our standard error, so that standard output stays the
/// caller's.
pub fn run_to_stderr(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    eprintln!("+ {shown}");
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .with_context(|| format!("cannot run `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// The exit code of a task; a failure is reported on standard error.
pub fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether this is continuous integration (`CI=true`): what cannot be checked there is a failure.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
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
