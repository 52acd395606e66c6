//! Packages of Debian that are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// Installs the programs that are missing; each is given with Debian's package of it.
pub fn ensure(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !in_path(program))
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !can_use_apt() {
        let sudo = if workspace::is_root() { "" } else { "sudo " };
        bail!("missing: {list}; on Debian or Ubuntu install with: {sudo}apt-get install -y {list}");
    }
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "-y", "--no-install-recommends"]);
        command
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive");
        workspace::run_to_stderr(&mut command)
    };
    if install().is_err() {
        workspace::run_to_stderr(Command::new("apt-get").arg("update"))?;
        install()?;
    }
    Ok(())
}

/// Whether a program is in PATH, or in /usr/sbin, which only root has there.
fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|folder| folder.join(program).is_file())
}

/// Whether we may install packages here.
pub fn can_use_apt() -> bool {
    workspace::is_root() && Path::new("/usr/bin/apt-get").exists()
}
