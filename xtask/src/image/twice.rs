//! Whether the image is the same when built elsewhere.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::arch::Arch;
use tools::containers::finish;

/// Builds the last commit in two new clones, and compares the digests.
pub(super) fn check(machines: &[Arch]) -> Result<()> {
    let folder = workspace::target().join("image/twice");
    let _ = std::fs::remove_dir_all(&folder);
    // Names of different length: a path that got in would move what is behind it.
    let clones = ["a", "another-folder"].map(|name| folder.join(name));
    let mut digests = Vec::new();
    for clone in &clones {
        digests.push(build_in(clone, machines)?);
    }
    // Where they differ, both stay: somebody has to find out why.
    ensure!(
        digests[0] == digests[1],
        "two builds of one commit differ: {} and {} (both are under {})",
        digests[0],
        digests[1],
        folder.display()
    );
    let _ = std::fs::remove_dir_all(&folder);
    println!("both builds are {}", digests[0]);
    Ok(())
}

fn build_in(clone: &Path, machines: &[Arch]) -> Result<String> {
    finish(
        Command::new("git")
            .args(["clone", "--quiet"])
            .arg(workspace::root())
            .arg(clone),
    )?;
    // The compilers are no part of what is compared.
    std::fs::create_dir_all(clone.join("target"))?;
    std::os::unix::fs::symlink(workspace::tools(), clone.join("target/tools"))?;
    let arch = match machines {
        [one] => one.to_string(),
        _ => "both".to_owned(),
    };
    let output = workspace::cargo()
        .args([
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--",
            "image",
            "--arch",
            &arch,
        ])
        .current_dir(clone)
        .env_remove("CARGO_TARGET_DIR")
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let lines = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "the build in {} failed",
        clone.display()
    );
    lines.lines().next().map(str::to_owned).context("a digest")
}
