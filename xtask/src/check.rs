//! `cargo xtask test`: everything that must hold before a change goes in.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use tools::containers::Containers;
use tools::perfetto;

use crate::{deploy, image, task, toolchain};

/// Format, lints, build, then all tests. `filter` goes to the test binaries.
pub(crate) fn run(filter: &[String]) -> Result<()> {
    toolchain::ensure()?;
    toolchain::ensure_checkers()?;
    toolchain::ensure_tmux()?;
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--workspace",
        "--exclude",
        "agent-ebpf",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    check_dashboards()?;
    let binary = toolchain::build_agent_for_tests()?;
    let image = image()?;

    // The live tests start the victims, and the demo.
    task::build(&["lab", "demo"])?;
    let trace_processor = perfetto::ensure().unwrap_or_else(|error| {
        eprintln!("the test of exported traces is skipped: {error:#}");
        PathBuf::new()
    });

    let tests = |arguments: &[&str]| {
        let mut command = workspace::command("cargo");
        command
            .arg("test")
            .args(arguments)
            .env("TAG52_BIN", &binary)
            .env("TAG52_IMAGE", &image)
            .env("TAG52_PERFETTO", &trace_processor);
        command
    };
    let with_filter = |command: &mut Command| {
        if !filter.is_empty() {
            command.arg("--").args(filter);
        }
        workspace::run(command)
    };
    if workspace::is_root() {
        return with_filter(&mut tests(&["--workspace", "--exclude", "agent-ebpf"]));
    }
    // Only the live tests load probes; only their binary runs as root, and nothing is built as
    // root.
    with_filter(&mut tests(&[
        "--workspace",
        "--exclude",
        "agent-ebpf",
        "--exclude",
        "live",
    ]))?;
    workspace::warm_sudo()?;
    let mut live = tests(&["--package", "live", "--test", "live"]);
    let runner = "sudo -n --preserve-env=TAG52_BIN,CARGO_MANIFEST_DIR,CARGO_TARGET_DIR";
    live.env(
        format!(
            "CARGO_TARGET_{}_RUNNER",
            host()?.to_uppercase().replace('-', "_")
        ),
        runner,
    );
    with_filter(&mut live)
}

/// The container image for this machine, and the manifests that run it. Without root there is none:
/// buildah and podman are run as root.
fn image() -> Result<PathBuf> {
    deploy::run(&deploy::Options::default())?;
    if !workspace::is_root() {
        return Ok(PathBuf::new());
    }
    let here = image::Arch::here().context("there are no images for this machine's type")?;
    let layout = image::build(&Containers::open()?, &[here])?;
    println!("{}", layout.text());
    Ok(layout.folder)
}

/// The files of the dashboards and the rules; the live test asks what is in them. Prometheus is
/// fetched here, not as root in a test.
fn check_dashboards() -> Result<()> {
    let mut what = vec!["--check", "--rules"];
    let npm = Command::new("npm").arg("--version").output();
    if npm.is_ok_and(|output| output.status.success()) {
        what.push("--schema");
    } else {
        eprintln!("the check of the dashboards against Grafana's types is skipped: npm is missing");
    }
    task::DASHBOARDS.run(&what)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    workspace::run(workspace::command("cargo").args(arguments))
}

/// The host's target triple.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| anyhow::anyhow!("`rustc -vV` names no host"))
}
