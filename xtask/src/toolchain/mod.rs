//! Gets what building the probes takes: a nightly toolchain with rust-src and a bpf-linker for its
//! LLVM.
//!
//! The linker goes to `target/tools`, the toolchain to rustup. A stamp makes every later run a
//! matter of three `stat` calls. `target/tools/toolchain` names the nightly that was chosen, for
//! the agent's build script.

mod linker;
mod llvm;
mod nightly;
mod stamp;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Provides the toolchain; does nothing when it is there.
pub(crate) fn ensure() -> Result<()> {
    let tools = workspace::tools();
    let linker = tools.join("bin/bpf-linker");
    let stamp = tools.join("stamp.json");
    if stamp::check(&stamp, &linker).is_some() {
        return Ok(());
    }
    eprintln!("setting up the eBPF toolchain (once)");
    std::fs::create_dir_all(&tools)
        .with_context(|| format!("cannot create {}", tools.display()))?;
    let nightly = nightly::ensure(&tools)?;
    linker::ensure(&tools, nightly.llvm)?;
    std::fs::write(tools.join("toolchain"), &nightly.name)?;
    stamp::write(&stamp, &linker, &nightly)?;
    eprintln!(
        "the eBPF toolchain is ready: {}, bpf-linker {} for LLVM {}",
        nightly.name,
        linker::VERSION,
        nightly.llvm
    );
    Ok(())
}

/// Builds the agent, after its toolchain, and returns its binary.
pub(crate) fn build_agent() -> Result<PathBuf> {
    cargo_build(&[])
}

/// Builds the agent with the faults that the live tests inject, and returns its binary.
pub(crate) fn build_agent_for_tests() -> Result<PathBuf> {
    cargo_build(&["--features", "fault-injection"])
}

fn cargo_build(features: &[&str]) -> Result<PathBuf> {
    ensure()?;
    let mut command = workspace::cargo();
    let command = command.args(["build", "--release", "--package", "tag52"]);
    workspace::run(command.args(features))?;
    let binary = workspace::agent();
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

/// Makes sure that rustfmt and clippy are there for the workspace's own toolchain.
pub(crate) fn ensure_checkers() -> Result<()> {
    for (program, component) in [("rustfmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        if output(Command::new(program).arg("--version")).is_none() {
            workspace::run_to_stderr(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Makes sure that tmux is there: the live view is tested on its terminals.
pub(crate) fn ensure_tmux() -> Result<()> {
    tools::packages::ensure(&[("tmux", "tmux")])
}

/// What a command prints, if it can be run and succeeds.
fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
