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

use anyhow::{Context as _, Result, bail, ensure};

use crate::workspace;

/// What the bootstrap provides.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The rustup name of the nightly toolchain.
    pub nightly: String,
    /// The linker's binary.
    pub linker: PathBuf,
}

/// Provides the toolchain; does nothing when it is there.
pub fn ensure() -> Result<Toolchain> {
    let tools = workspace::tools();
    let linker = tools.join("bin/bpf-linker");
    let stamp = tools.join("stamp.json");
    if let Some(nightly) = stamp::check(&stamp, &linker) {
        return Ok(Toolchain { nightly, linker });
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
    Ok(Toolchain {
        nightly: nightly.name,
        linker,
    })
}

/// Makes sure that rustfmt and clippy are there for the workspace's own toolchain.
pub fn ensure_checkers() -> Result<()> {
    for (program, component) in [("rustfmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        if output(Command::new(program).arg("--version")).is_none() {
            stream(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Makes sure that tmux is there: the live view is tested on its terminals.
pub fn ensure_tmux() -> Result<()> {
    ensure_packages(&[("tmux", "tmux")])
}

/// Makes sure that programs are there; each is given with Debian's package of it.
pub fn ensure_packages(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !in_path(program))
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !llvm::can_use_apt() {
        let sudo = if workspace::is_root() { "" } else { "sudo " };
        bail!("missing: {list}; on Debian or Ubuntu install with: {sudo}apt-get install -y {list}");
    }
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "-y", "--no-install-recommends"]);
        command
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive");
        stream(&mut command)
    };
    if install().is_err() {
        stream(Command::new("apt-get").arg("update"))?;
        install()?;
    }
    Ok(())
}

/// Whether a program can be found, also where only root looks.
fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|folder| folder.join(program).is_file())
}

/// Runs a command with its output on our standard error, so that standard output stays the
/// caller's.
fn stream(command: &mut Command) -> Result<()> {
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
