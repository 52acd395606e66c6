//! A Debian kernel and the initramfs that boots it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use super::cpio::Archive;
use super::emulator::Emulator;
use super::modules;
use tools::apt::Apt;

/// The flavour made for virtual machines, the quickest to boot.
const FLAVOUR: &str = "-cloud-amd64";

/// What the guest needs to see the host's root folder.
const MODULES: [&str; 4] = ["virtio_pci", "fuse", "virtiofs", "overlay"];

/// A kernel series, such as 6.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KernelSeries {
    major: u32,
    minor: u32,
}

impl FromStr for KernelSeries {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (major, minor) = text.split_once('.')?;
            Some(Self {
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
            })
        };
        parse().with_context(|| format!("{text} is not a kernel series such as 6.12"))
    }
}

impl fmt::Display for KernelSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl KernelSeries {
    /// Whether the series has all the agent needs: `bpf_loop` came with 5.17.
    pub(super) fn supported(self) -> bool {
        self >= Self {
            major: 5,
            minor: 17,
        }
    }

    /// The suite that has the series.
    fn suite(self) -> &'static str {
        match (self.major, self.minor) {
            (5, 10) => "bullseye-security",
            (6, 1) => "bookworm",
            (6, 12) => "bookworm-backports",
            _ => "trixie-backports",
        }
    }
}

/// An unpacked kernel, ready to boot.
#[derive(Debug)]
pub(super) struct Kernel {
    /// The series asked for.
    pub(super) series: KernelSeries,
    /// The kernel's own name for itself.
    pub(super) release: String,
    folder: PathBuf,
}

impl Kernel {
    /// Downloads and unpacks the newest kernel of the series unless one is there, and makes its
    /// initramfs.
    pub(super) fn provide(
        folder: &Path,
        series: KernelSeries,
        emulator: &Emulator,
    ) -> Result<Self> {
        let kernel_folder = folder.join("kernels").join(series.to_string());
        let files = kernel_folder.join("files");
        let ready = kernel_folder.join("release");
        if !ready.exists() {
            let _ = std::fs::remove_dir_all(&kernel_folder);
            let suite = series.suite();
            let apt = Apt::open(&folder.join("apt"), &[suite])?;
            let packages = newest(&apt.names()?, series)
                .with_context(|| format!("{suite} has none for virtual machines"))?;
            eprintln!("fetching {} (once)", packages.join(", "));
            apt.unpack(&packages, &files)?;
            std::fs::write(&ready, release(&files)?)?;
        }
        let kernel = Self {
            series,
            release: std::fs::read_to_string(&ready)?,
            folder: kernel_folder,
        };
        kernel.write_initramfs(emulator)?;
        Ok(kernel)
    }

    /// The kernel itself.
    pub(super) fn image(&self) -> PathBuf {
        image(&self.folder.join("files"), &self.release)
    }

    /// The initramfs.
    pub(super) fn initramfs(&self) -> PathBuf {
        self.folder.join("initramfs")
    }

    /// What the kernel said on its console.
    pub(super) fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// What the guest's programs said.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("tests.log")
    }

    fn write_initramfs(&self, emulator: &Emulator) -> Result<()> {
        let mut archive = Archive::default();
        archive.folder("bin");
        archive.folder("modules");
        archive.program("bin/busybox", &std::fs::read(emulator.busybox())?);
        archive.program("init", include_bytes!("init.sh"));
        let found = modules::in_order(
            &module_folder(&self.folder.join("files")),
            &MODULES,
            emulator,
        )?;
        let mut order = String::new();
        for module in found {
            let name = format!("modules/{}.ko", module.name);
            archive.program(&name, &module.code);
            order.push_str(&format!("/{name}\n"));
        }
        archive.program("modules/order", order.as_bytes());
        let path = self.initramfs();
        std::fs::write(&path, archive.finish())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Older packages have /lib, newer ones /usr/lib.
fn module_folder(files: &Path) -> PathBuf {
    ["lib/modules", "usr/lib/modules"]
        .map(|folder| files.join(folder))
        .into_iter()
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| files.join("lib/modules"))
}

/// Older packages have it in /boot, newer ones beside the modules.
fn image(files: &Path, release: &str) -> PathBuf {
    let old = files.join(format!("boot/vmlinuz-{release}"));
    if old.is_file() {
        old
    } else {
        module_folder(files).join(release).join("vmlinuz")
    }
}

fn release(files: &Path) -> Result<String> {
    for entry in module_folder(files)
        .read_dir()
        .context("the archive has it without its modules")?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if image(files, &name).is_file() {
            return Ok(name);
        }
    }
    bail!("its packages have no vmlinuz")
}

/// The packages of the series' newest kernel: one, or from 6.19 on several.
fn newest(names: &[String], series: KernelSeries) -> Option<Vec<String>> {
    let version = |name: &str| {
        let version = [
            "linux-image-",
            "linux-binary-",
            "linux-modules-",
            "linux-base-",
        ]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?
        .strip_suffix(FLAVOUR)?;
        // Not the package that only depends on the newest one.
        version
            .strip_prefix(&format!("{series}."))
            .map(|_| version.to_owned())
    };
    let newest = names
        .iter()
        .filter_map(|name| version(name))
        .max_by_key(|version| numbers(version))?;
    let of_newest = |name: &&String| version(name).as_ref() == Some(&newest);
    Some(names.iter().filter(of_newest).cloned().collect())
}

/// The numbers in a version, for comparing.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_two_numbers() {
        let series: KernelSeries = "6.12".parse().expect("a series");
        assert_eq!(series.to_string(), "6.12");
        assert!(
            series.supported()
                && !"5.10"
                    .parse::<KernelSeries>()
                    .expect("a series")
                    .supported()
        );
        assert!("6".parse::<KernelSeries>().is_err() && "6.x".parse::<KernelSeries>().is_err());
    }

    #[test]
    fn the_newest_of_a_series_is_chosen_with_all_its_parts() {
        let names = [
            "linux-image-6.1-cloud-amd64",
            "linux-image-6.12.9+deb12-cloud-amd64",
            "linux-image-6.12.90+deb12-cloud-amd64",
            "linux-image-6.12.90+deb12.1-cloud-amd64",
            "linux-image-6.12.90+deb12.1-cloud-amd64-unsigned",
            "linux-image-6.12.91+deb12-amd64",
            "linux-modules-7.3.4+deb13-cloud-amd64",
            "linux-binary-7.3.4+deb13-cloud-amd64",
            "linux-binary-7.3.2+deb13-cloud-amd64",
        ]
        .map(str::to_owned);
        let of = |series: &str| newest(&names, series.parse().expect("a series"));
        assert_eq!(of("6.1"), None);
        assert_eq!(
            of("6.12"),
            Some(vec!["linux-image-6.12.90+deb12.1-cloud-amd64".to_owned()])
        );
        assert_eq!(of("7.3").map(|packages| packages.len()), Some(2));
    }
}
