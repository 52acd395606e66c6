//! `cargo xtask dashboards --schema`: checks the files against Grafana's own types (npm:
//! `@grafana/schema`).

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{file_names, folder};
use tools::npm;

/// The files of the checker, from `dashboards/generator/schema`.
const SOURCES: [&str; 5] = [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "types.ts",
    "check.mjs",
];

/// Checks every option of every panel. Fetches 40 MB of packages once.
pub(super) fn check() -> Result<()> {
    let sources = workspace::root().join("dashboards/generator/schema");
    let tools = workspace::tools().join("schema");
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    for name in SOURCES {
        fs::copy(sources.join(name), tools.join(name))
            .with_context(|| format!("cannot copy {name}"))?;
    }
    let lock = fs::read_to_string(sources.join("package-lock.json"))?;
    let installed = tools.join("installed");
    if !fs::read_to_string(&installed).is_ok_and(|found| found == lock) {
        eprintln!("fetching Grafana's types (from npm, 40 MB, once)");
        npm::install(&tools)?;
        fs::write(&installed, lock)?;
    }
    let mut node = Command::new("node");
    node.arg(tools.join("check.mjs"))
        .args(file_names().iter().map(|name| folder().join(name)));
    let status = node
        .status()
        .context("node is missing (apt-get install -y nodejs npm)")?;
    ensure!(
        status.success(),
        "the dashboards do not match Grafana's types"
    );
    Ok(())
}
