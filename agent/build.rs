//! Builds the probes and puts their object next to the agent's build output.
//!
//! Needs nightly with rust-src and bpf-linker; `cargo xtask setup` installs both.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use aya_build::{Package, Toolchain, build_ebpf};

fn main() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
        .parent()
        .context("the workspace root")?
        .to_path_buf();
    let tools = root.join("target/tools/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let found = tools.join("bpf-linker").exists()
        || env::split_paths(&path).any(|dir| dir.join("bpf-linker").exists());
    ensure!(found, "bpf-linker is missing: run `cargo xtask setup` once");
    let path = env::join_paths(std::iter::once(tools).chain(env::split_paths(&path)))?;
    // SAFETY: a build script's main thread, before any other is started.
    unsafe {
        env::set_var("PATH", path);
        // The object must not depend on which folder it was built in. Only nightly's cargo reads these.
        env::set_var("CARGO_UNSTABLE_TRIM_PATHS", "true");
        env::set_var("CARGO_PROFILE_RELEASE_TRIM_PATHS", "all");
    }
    for dir in ["agent-common", "agent-ebpf"] {
        println!("cargo:rerun-if-changed={}", root.join(dir).display());
    }
    // `cargo xtask setup` writes which nightly it chose.
    let chosen = root.join("target/tools/toolchain");
    println!("cargo:rerun-if-changed={}", chosen.display());
    let nightly = std::fs::read_to_string(chosen).unwrap_or_else(|_| "nightly".to_owned());
    let probes = root.join("agent-ebpf");
    build_ebpf(
        [Package {
            name: "agent-ebpf",
            root_dir: probes.to_str().context("a path in UTF-8")?,
            ..Package::default()
        }],
        Toolchain::Custom(nightly.trim()),
    )
}
