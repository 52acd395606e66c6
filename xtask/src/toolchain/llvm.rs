//! The LLVM library bpf-linker is built against.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::output;

/// The Debian packages for one LLVM version.
fn packages(major: u32) -> [String; 4] {
    [
        format!("llvm-{major}-dev"),
        format!("libpolly-{major}-dev"),
        "zlib1g-dev".into(),
        "libzstd-dev".into(),
    ]
}

/// Whether LLVM of that version is here or can be installed by us.
pub(super) fn available(major: u32) -> bool {
    installed(major).is_some()
        || (tools::packages::can_use_apt()
            && (in_apt(major) || (update().is_ok() && in_apt(major))))
}

/// The prefix of LLVM of that version; installs it through apt when that is possible.
pub(super) fn ensure(major: u32) -> Result<PathBuf> {
    if let Some(prefix) = installed(major) {
        return Ok(prefix);
    }
    let packages = packages(major);
    if !tools::packages::can_use_apt() {
        let sudo = if workspace::is_root() { "" } else { "sudo " };
        bail!(
            "the LLVM {major} library is missing; on Debian or Ubuntu install it with: \
             {sudo}apt-get install -y {} (elsewhere set LLVM_PREFIX to an LLVM {major} with \
             headers)",
            packages.join(" ")
        );
    }
    if !in_apt(major) {
        update()?;
    }
    workspace::run_to_stderr(
        Command::new("apt-get")
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    match installed(major) {
        Some(prefix) => Ok(prefix),
        None => bail!(
            "apt-get installed LLVM {major}, and it is not where Debian puts it \
             (/usr/lib/llvm-{major})"
        ),
    }
}

fn installed(major: u32) -> Option<PathBuf> {
    if let Some(prefix) = std::env::var_os("LLVM_PREFIX")
        .map(PathBuf::from)
        .filter(|prefix| has_headers(prefix))
    {
        return version_of(&prefix.join("bin/llvm-config"))
            .is_none_or(|found| found == major)
            .then_some(prefix);
    }
    let debian = PathBuf::from(format!("/usr/lib/llvm-{major}"));
    if Path::new("/usr/bin/dpkg-query").exists() {
        return (has_headers(&debian)
            && packages(major).iter().all(|package| has_package(package)))
        .then_some(debian);
    }
    [format!("llvm-config-{major}"), "llvm-config".into()]
        .iter()
        .find_map(|config| {
            (version_of(Path::new(config))? == major)
                .then(|| output(Command::new(config).arg("--prefix")))?
                .map(|prefix| PathBuf::from(prefix.trim()))
                .filter(|prefix| has_headers(prefix))
        })
}

fn has_headers(prefix: &Path) -> bool {
    prefix.join("include/llvm-c/Core.h").exists()
}

fn version_of(config: &Path) -> Option<u32> {
    output(Command::new(config).arg("--version"))?
        .split('.')
        .next()?
        .trim()
        .parse()
        .ok()
}

fn has_package(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["-W", "-f=${Status}", package]))
        .is_some_and(|status| status.ends_with(" installed"))
}

fn in_apt(major: u32) -> bool {
    packages(major).iter().all(|package| {
        output(Command::new("apt-cache").args(["policy", package])).is_some_and(|policy| {
            policy.contains("Candidate:") && !policy.contains("Candidate: (none)")
        })
    })
}

fn update() -> Result<()> {
    workspace::run_to_stderr(Command::new("apt-get").arg("update"))
}
