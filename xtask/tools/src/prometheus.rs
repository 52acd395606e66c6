//! Prometheus and promtool: Debian's package, unpacked under `target/tools`; nothing is installed.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::apt::Apt;

/// The release whose package is taken.
const SUITE: &str = "bookworm";

/// The folder with `prometheus` and `promtool`; does nothing when it is there.
pub fn ensure() -> Result<PathBuf> {
    let folder = workspace::tools().join("prometheus");
    let programs = folder.join("usr/bin");
    if programs.join("prometheus").is_file() && programs.join("promtool").is_file() {
        return Ok(programs);
    }
    eprintln!("fetching Prometheus (from Debian {SUITE}, 20 MB, once)");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let apt = Apt::open(&folder.join("apt"), &[SUITE])?;
    apt.unpack(&["prometheus".to_owned()], &folder)?;
    Ok(programs)
}
