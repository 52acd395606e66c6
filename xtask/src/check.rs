//! `cargo xtask test`: everything that must hold before a change goes in.

mod oracles;
mod stages;
mod tests;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tools::containers::Containers;

use self::oracles::Oracles;
use self::stages::Stages;
use crate::{deploy, image, task, toolchain};

/// Runs format, lints, dashboards, manifests and builds, then all tests. `filter` is passed to the
/// test binaries.
pub(crate) fn run(filter: &[String]) -> Result<()> {
    let mut stages = Stages::default();
    stages.run("toolchain", toolchain::ensure)?;
    stages.run("checkers", || {
        toolchain::ensure_checkers()?;
        toolchain::ensure_tmux()
    })?;
    let oracles = stages.run("oracles", Oracles::ensure)?;
    stages.run("format", || cargo(&["fmt", "--all", "--check"]))?;
    stages.run("lints", lints)?;
    stages.run("dashboards", || dashboards(&oracles))?;
    stages.run("manifests", || {
        deploy::run(&deploy::DeployOptions::default())
    })?;
    let agent = stages.run("agent", toolchain::build_agent_for_tests)?;
    let image = stages.run("image", image_for_tests)?;
    // The live tests start the victims, and the demo.
    stages.run("lab and demo", || task::build(&["lab", "demo"]))?;
    let under_test = tests::AgentUnderTest {
        agent,
        image,
        oracles,
    };
    stages.run("tests", || under_test.test(filter))?;
    eprintln!("{}", stages.table());
    Ok(())
}

fn lints() -> Result<()> {
    cargo(&[
        "clippy",
        "--workspace",
        "--exclude",
        "agent-ebpf",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

/// The container image for this machine, in a layout. Without root there is none: buildah and
/// podman are run as root.
fn image_for_tests() -> Result<Option<PathBuf>> {
    if !workspace::is_root() {
        return Ok(None);
    }
    let here = image::Arch::here().context("there are no images for this machine's type")?;
    let layout = image::build(&Containers::open()?, &[here])?;
    println!("{}", layout.text());
    Ok(Some(layout.folder))
}

/// The files of the dashboards and the rules. The expressions in them are asked by a live test.
fn dashboards(oracles: &Oracles) -> Result<()> {
    let mut checks = vec!["--check"];
    if oracles.promtool.is_some() {
        checks.push("--rules");
    }
    if oracles.npm {
        checks.push("--schema");
    }
    task::DASHBOARDS.run(&checks)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    workspace::run(workspace::cargo().args(arguments))
}
