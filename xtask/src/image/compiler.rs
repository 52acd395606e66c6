//! The C compiler for the few dependencies that have C in them: zig, from PyPI.
//!
//! One that makes code for both machines on either, needs no headers installed, and is the same on
//! every machine: what it compiles is part of the image, and the same source is to give the same
//! image.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tools::pypi;

use super::arch::Arch;

/// The pinned version.
const VERSION: &str = "0.17.1";

/// Where the compiler is.
#[derive(Clone, Debug)]
pub(super) struct Compiler {
    folder: PathBuf,
}

impl Compiler {
    /// Fetches it; does nothing when it is there.
    pub(super) fn ensure() -> Result<Self> {
        let tools = workspace::tools();
        let folder = tools.join(format!("zig-{VERSION}"));
        if !folder.is_dir() {
            fs::create_dir_all(&tools)?;
            let building = tempfile::tempdir_in(&tools).context("cannot create a folder")?;
            let unpacked = building.path().join("unpacked");
            eprintln!("fetching zig {VERSION} as the C compiler (from PyPI, 100 MB, once)");
            fetch(building.path(), &unpacked)?;
            fs::rename(&unpacked, &folder)?;
        }
        let compiler = Self { folder };
        for arch in Arch::ALL {
            compiler.write_wrapper(arch)?;
        }
        let archiver = "#!/bin/sh\nexec \"${0%/*}/ziglang/zig\" ar \"$@\"\n";
        write_program(&compiler.archiver(), archiver)?;
        Ok(compiler)
    }

    /// Compiles for that machine.
    pub(super) fn cc(&self, arch: Arch) -> PathBuf {
        self.folder.join(format!("cc-{arch}"))
    }

    /// Makes static libraries.
    pub(super) fn archiver(&self) -> PathBuf {
        self.folder.join("ar")
    }

    /// Where it keeps what it has compiled of its own.
    pub(super) fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// `--target` comes with rustc's name of the machine, which zig does not know. Left to itself
    /// it adds checks for undefined behaviour.
    fn write_wrapper(&self, arch: Arch) -> Result<()> {
        let text = format!(
            "#!/bin/sh\n\
             for argument do\n  \
               shift\n  \
               case $argument in --target=*) ;; *) set -- \"$@\" \"$argument\" ;; esac\n\
             done\n\
             exec \"${{0%/*}}/ziglang/zig\" cc -target {arch}-linux-musl -fno-sanitize=all \"$@\"\n"
        );
        write_program(&self.cc(arch), &text)
    }
}

fn fetch(folder: &Path, to: &Path) -> Result<()> {
    let wheel = folder.join("wheel");
    pypi::download(&format!("ziglang=={VERSION}"), &[], &wheel)?;
    let wheel = fs::read_dir(&wheel)?
        .next()
        .context("pip downloaded nothing")??
        .path();
    finish(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(to),
        "the wheel of zig cannot be unpacked",
    )?;
    // Archives made by pip do not say who may run what.
    let zig = to.join("ziglang/zig");
    fs::set_permissions(&zig, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("the wheel has no {}", zig.display()))
}

fn write_program(path: &Path, text: &str) -> Result<()> {
    // Left alone when it is as it should be: another build may be running it.
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn finish(command: &mut Command, trouble: &str) -> Result<()> {
    let status = command.stdin(Stdio::null()).status();
    ensure!(status.is_ok_and(|status| status.success()), "{trouble}");
    Ok(())
}
