//! Builds the probes and puts their object next to the agent's build output.
//!
//! Needs nightly with rust-src and bpf-linker; `cargo xtask setup` installs both.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use aya_build::{Package, Toolchain, build_ebpf};
use object::{
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

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
        // The object must not depend on which folder it was built in. Only nightly's cargo reads
        // these.
        env::set_var("CARGO_UNSTABLE_TRIM_PATHS", "true");
        env::set_var("CARGO_PROFILE_RELEASE_TRIM_PATHS", "all");
    }
    for dir in ["agent-common", "agent-ebpf"] {
        println!("cargo:rerun-if-changed={}", root.join(dir).display());
    }
    // `cargo xtask setup` writes which nightly it chose.
    let chosen = root.join("target/tools/toolchain");
    println!("cargo:rerun-if-changed={}", chosen.display());
    let nightly = fs::read_to_string(chosen).unwrap_or_else(|_| "nightly".to_owned());
    let probes = root.join("agent-ebpf");
    let features: &[_] = match env::var_os("CARGO_FEATURE_FAULT_INJECTION") {
        Some(_) => &["fault-injection"],
        None => &[],
    };
    build_ebpf(
        [Package {
            name: "agent-ebpf",
            root_dir: probes.to_str().context("a path in UTF-8")?,
            features,
            ..Package::default()
        }],
        Toolchain::Custom(nightly.trim()),
    )?;
    strip(&PathBuf::from(env::var("OUT_DIR")?).join("tag52-probes"))
}

/// Takes out the DWARF, nine tenths of the object: the kernel and the loader read BTF.
fn strip(file: &Path) -> Result<()> {
    let object = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut builder = Builder::read(&*object)?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    // LLVM keeps the names of sections and symbols in one table, the builder in two.
    let names = builder.sections.add();
    names.name = b".shstrtab".as_slice().into();
    names.sh_type = SHT_STRTAB;
    names.data = SectionData::SectionString;
    builder.delete_orphans();
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    fs::write(file, stripped).with_context(|| format!("cannot write {}", file.display()))
}
