//! The nightly toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{linker, llvm, output};

/// Installed when no usable nightly is there: the newest one known to work, with LLVM 22. The
/// newest nightly may be ahead of the LLVM that distributions package.
const PINNED: &str = "nightly-2026-05-20";

/// A nightly toolchain.
#[derive(Clone, Debug)]
pub(super) struct Nightly {
    /// Its rustup name.
    pub(super) name: String,
    /// The major version of the LLVM whose bitcode it writes.
    pub(super) llvm: u32,
    /// Its folder.
    pub(super) sysroot: PathBuf,
}

impl Nightly {
    /// The standard library's sources, which building for a BPF target needs.
    pub(super) fn sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library/core")
    }

    /// The compiler.
    pub(super) fn compiler(&self) -> PathBuf {
        self.sysroot.join("bin/rustc")
    }
}

/// The installed `nightly` if a linker can be had for its LLVM, else the pinned one.
pub(super) fn ensure(tools: &Path) -> Result<Nightly> {
    if output(Command::new("rustup").arg("--version")).is_none() {
        bail!(
            "rustup is missing; install it with: curl --proto '=https' -sSf https://sh.rustup.rs | \
             sh"
        );
    }
    let nightly = match ["nightly", PINNED]
        .into_iter()
        .filter_map(find)
        .find(|found| usable(found, tools))
    {
        Some(nightly) => nightly,
        None => {
            workspace::run_to_stderr(Command::new("rustup").args([
                "toolchain",
                "install",
                PINNED,
                "--profile",
                "minimal",
                "--component",
                "rust-src",
                "--no-self-update",
            ]))?;
            find(PINNED).with_context(|| format!("{PINNED} was installed and does not run"))?
        }
    };
    if !nightly.sources().is_dir() {
        workspace::run_to_stderr(Command::new("rustup").args([
            "component",
            "add",
            "rust-src",
            "--toolchain",
            &nightly.name,
        ]))?;
    }
    Ok(nightly)
}

/// Whether a linker for its LLVM is there or can be built.
fn usable(nightly: &Nightly, tools: &Path) -> bool {
    let usable = linker::is_installed(tools, nightly.llvm)
        || (linker::SUPPORTED.contains(&nightly.llvm) && llvm::available(nightly.llvm));
    if !usable {
        eprintln!(
            "{} writes LLVM {}, for which there is no bpf-linker {} or no LLVM library here",
            nightly.name,
            nightly.llvm,
            linker::VERSION
        );
    }
    usable
}

fn find(name: &str) -> Option<Nightly> {
    let rustc = |arguments: &[&str]| {
        // A missing toolchain must be reported here, not silently downloaded.
        output(
            Command::new("rustup")
                .args(["run", name, "rustc"])
                .args(arguments)
                .env("RUSTUP_AUTO_INSTALL", "0"),
        )
    };
    let llvm = llvm_major(&rustc(&["-vV"])?)?;
    let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?.trim());
    Some(Nightly {
        name: name.to_owned(),
        llvm,
        sysroot,
    })
}

/// The major version in the `LLVM version: 22.1.4` line of `rustc -vV`.
fn llvm_major(version: &str) -> Option<u32> {
    let line = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    line.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_llvm_version() {
        assert_eq!(
            llvm_major("rustc 1.97.0-nightly\nhost: x\nLLVM version: 22.1.4\n"),
            Some(22)
        );
        assert_eq!(llvm_major("rustc 1.97.0-nightly\n"), None);
    }
}
