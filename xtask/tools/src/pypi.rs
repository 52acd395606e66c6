//! Wheels from PyPI, unpacked and not installed.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Downloads the wheel of a package (`NAME==VERSION`) into `folder`, without the packages that it
/// needs. `platform` has arguments that choose another platform than this one.
///
/// # Errors
/// pip is missing or cannot download it.
pub fn download(package: &str, platform: &[&str], folder: &Path) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
    ])
    .args(["--only-binary", ":all:"])
    .args(platform)
    .arg("--dest")
    .arg(folder)
    .arg(package);
    let failure = format!("pip cannot fetch {package} (apt-get install -y python3-pip)");
    run(&mut pip, &failure)
}

/// Runs a command in silence; when it fails, its last line is the reason.
pub(crate) fn run(command: &mut Command, failure: &str) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| failure.to_owned())?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{failure}: {}",
        text.lines().last().unwrap_or("no reason given")
    );
    Ok(())
}
