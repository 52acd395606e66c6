//! The agent as one static file, the same whichever folder it is built in.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::arch::Arch;
use super::compiler::Compiler;
use crate::toolchain;

/// Builds it for one machine.
pub(crate) fn build(arch: Arch) -> Result<PathBuf> {
    toolchain::ensure()?;
    let compiler = Compiler::ensure()?;
    let triple = arch.triple();
    ensure_target(&triple)?;
    let variable = arch.variable();
    let flags = [
        format!("--remap-path-prefix={}=/tag52", workspace::root().display()),
        format!("--remap-path-prefix={}=/cargo", cargo_home()?.display()),
        "-Cstrip=symbols".to_owned(),
        "-Clink-arg=--build-id=none".to_owned(),
    ];
    workspace::run(
        workspace::cargo()
            .args(["build", "--locked", "--release", "--package", "tag52"])
            .args(["--target", &triple])
            .env(
                format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()),
                "rust-lld",
            )
            .env(format!("CC_{variable}"), compiler.cc(arch))
            .env(format!("AR_{variable}"), compiler.archiver())
            .env("ZIG_GLOBAL_CACHE_DIR", compiler.cache())
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")),
    )?;
    let binary = workspace::target().join(triple).join("release/tag52");
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

/// Rust's own libraries for the target.
fn ensure_target(triple: &str) -> Result<()> {
    let has = |list: &str| list.lines().any(|line| line == triple);
    let installed = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .stderr(Stdio::null())
        .output()
        .context("rustup is missing: static binaries need its musl targets")?;
    if has(&String::from_utf8_lossy(&installed.stdout)) {
        return Ok(());
    }
    workspace::run(workspace::command("rustup").args(["target", "add", triple]))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}
