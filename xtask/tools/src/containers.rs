//! podman and buildah, with a storage of their own: the machine's images and containers stay as
//! they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::packages;

/// The limits a container gets. The usual ones are above what we may ask for inside of another
/// container.
const LIMITS: [&str; 4] = [
    "--ulimit",
    "nofile=20000:20000",
    "--ulimit",
    "nproc=10000:10000",
];

/// A storage; its images are gone when dropped.
#[derive(Debug)]
pub struct Containers {
    // Not in the workspace: the sockets in it need a short path.
    folder: TempDir,
}

impl Containers {
    /// Installs what is missing, as root on Debian; elsewhere says what is.
    pub fn open() -> Result<Self> {
        packages::ensure(&[
            ("buildah", "buildah"),
            ("podman", "podman"),
            ("runc", "runc"),
        ])?;
        let folder = tempfile::Builder::new()
            .prefix("tag52-c")
            .tempdir()
            .context("cannot create a folder")?;
        Ok(Self { folder })
    }

    /// `buildah`.
    pub fn buildah(&self) -> Command {
        self.program("buildah")
    }

    /// `podman`. runc, because crun refuses machines that have both versions of cgroups; without
    /// systemd.
    pub fn podman(&self) -> Command {
        let mut command = self.program("podman");
        command
            .args(["--runtime", "runc", "--cgroup-manager", "cgroupfs"])
            .args([
                "--events-backend",
                "none",
                "--log-level",
                "error",
                "--tmpdir",
            ])
            .arg(self.folder.path().join("tmp"));
        command
    }

    /// `podman run`, with limits that are allowed everywhere.
    pub fn run(&self) -> Command {
        let mut command = self.podman();
        command.arg("run").args(LIMITS);
        command
    }

    /// `buildah build`, with the same.
    pub fn build(&self) -> Command {
        let mut command = self.buildah();
        command.arg("build").args(LIMITS);
        command
    }

    /// Takes the image of this machine's type out of an OCI layout, and returns its id.
    pub fn load(&self, layout: &Path) -> Result<String> {
        let (Some(folder), Some(name)) = (layout.parent(), layout.file_name()) else {
            bail!("{} is no layout", layout.display());
        };
        // By its name alone: podman derives the image's name from its argument, and not every
        // folder can be one.
        let from = format!("oci:{}", Path::new(name).display());
        let mut pull = self.podman();
        pull.args(["pull", "--quiet", &from]).current_dir(folder);
        let id = finish(&mut pull)?;
        Ok(id.trim().to_owned())
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .arg("--root")
            .arg(self.folder.path().join("root"))
            .arg("--runroot")
            .arg(self.folder.path().join("run"))
            .args(["--storage-driver", "vfs"]);
        command
    }

    /// A folder that goes with the storage.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        // Ends what still runs, and unmounts.
        let _ = self
            .podman()
            .args(["rm", "--all", "--force", "--time", "0"])
            .output();
    }
}

/// Runs a command to its end; its standard output, or an error with what it said.
pub fn finish(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}: is it installed?"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} wrote no text"))
}
