//! bpf-linker, pinned, built for one LLVM.

use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::{llvm, output};

/// The pinned version.
pub(super) const VERSION: &str = "0.13.0";

/// The LLVM versions this version has a feature for: `llvm-21`, `llvm-22`, `llvm-23`.
pub(super) const SUPPORTED: RangeInclusive<u32> = 21..=23;

/// Whether the pinned version, built for that LLVM, is installed and runs.
pub(super) fn is_installed(tools: &Path, llvm: u32) -> bool {
    // cargo's own record of what it installed, and how.
    let Ok(record) = std::fs::read_to_string(tools.join(".crates2.json")) else {
        return false;
    };
    let Ok(record) = serde_json::from_str::<serde_json::Value>(&record) else {
        return false;
    };
    let built_for = record["installs"].as_object().is_some_and(|installs| {
        let name = format!("bpf-linker {VERSION} ");
        installs
            .iter()
            .filter(|(package, _)| package.starts_with(&name))
            .any(|(_, install)| {
                install["features"].as_array().is_some_and(|features| {
                    features
                        .iter()
                        .any(|feature| feature.as_str() == Some(&format!("llvm-{llvm}")))
                })
            })
    });
    built_for && runs(tools)
}

fn runs(tools: &Path) -> bool {
    output(Command::new(tools.join("bin/bpf-linker")).arg("--version"))
        .is_some_and(|version| version.contains(VERSION))
}

/// Builds and installs the linker unless it is there.
pub(super) fn ensure(tools: &Path, llvm: u32) -> Result<()> {
    if is_installed(tools, llvm) {
        return Ok(());
    }
    ensure!(
        SUPPORTED.contains(&llvm),
        "bpf-linker {VERSION} supports LLVM {} to {}, the nightly toolchain writes LLVM {llvm}",
        SUPPORTED.start(),
        SUPPORTED.end()
    );
    let prefix = llvm::ensure(llvm)?;
    eprintln!("building bpf-linker {VERSION} for LLVM {llvm} (about a minute)");
    workspace::run_to_stderr(
        workspace::cargo()
            .args([
                "install",
                "bpf-linker",
                "--locked",
                "--force",
                "--version",
                VERSION,
                "--no-default-features",
            ])
            .args(["--features", &format!("llvm-{llvm}"), "--root"])
            .arg(tools)
            .env("LLVM_PREFIX", prefix)
            // A folder of its own: the caller's may be shared with other builds.
            .env("CARGO_TARGET_DIR", tools.join("build")),
    )?;
    let _ = std::fs::remove_dir_all(tools.join("build"));
    ensure!(
        runs(tools),
        "bpf-linker was installed under {} and does not run",
        tools.display()
    );
    Ok(())
}
