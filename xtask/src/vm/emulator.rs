//! QEMU, virtiofsd and busybox with all their libraries, unpacked into one folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use tools::apt::Apt;

/// The release whose libraries everything here runs with.
const RELEASE: &str = "bookworm";

/// Where QEMU comes from: the release's own QEMU 7.2 corrupts guests when it emulates them.
const BACKPORTS: &str = "bookworm-backports";

/// The oldest version that is known not to.
const OLDEST_QEMU: u32 = 10;

/// The unpacked programs.
#[derive(Debug)]
pub(super) struct Emulator {
    root: PathBuf,
    share: PathBuf,
}

impl Emulator {
    /// Downloads and unpacks what is not there yet.
    pub(super) fn provide(folder: &Path) -> Result<Self> {
        let emulator = Self {
            root: folder.join("emulator"),
            share: folder.join("share"),
        };
        let ready = emulator.root.join("ready");
        if !ready.exists() {
            let _ = std::fs::remove_dir_all(&emulator.root);
            eprintln!("fetching QEMU (once, about 40 MB)");
            let apt = Apt::open(&folder.join("apt"), &[RELEASE, BACKPORTS])?;
            let packages = ["qemu-system-x86", "busybox-static"];
            apt.unpack_with_dependencies(&packages, BACKPORTS, &emulator.root)?;
            // Later QEMUs have left virtiofsd to a project of its own.
            apt.unpack(&[format!("qemu-system-common/{RELEASE}")], &emulator.share)?;
            emulator.check()?;
            std::fs::write(&ready, "")?;
        }
        Ok(emulator)
    }

    /// QEMU.
    pub(super) fn qemu(&self) -> Command {
        let mut command = self.program(&self.root.join("usr/bin/qemu-system-x86_64"));
        for data in ["qemu", "seabios"] {
            command
                .arg("-L")
                .arg(self.root.join("usr/share").join(data));
        }
        command
    }

    /// The daemon that shares a folder with a guest, as words of a command.
    pub(super) fn virtiofsd(&self) -> Vec<PathBuf> {
        self.words(&self.share.join("usr/lib/qemu/virtiofsd"))
    }

    /// busybox, statically linked.
    pub(super) fn busybox(&self) -> PathBuf {
        self.root.join("bin/busybox")
    }

    /// A program with its own libraries and its own loader: the machine's may be of another age.
    fn words(&self, program: &Path) -> Vec<PathBuf> {
        vec![
            self.root.join("lib64/ld-linux-x86-64.so.2"),
            "--library-path".into(),
            ["lib", "usr/lib"]
                .map(|folder| {
                    let folder = self.root.join(folder).join("x86_64-linux-gnu");
                    folder.display().to_string()
                })
                .join(":")
                .into(),
            program.to_owned(),
        ]
    }

    fn program(&self, program: &Path) -> Command {
        let words = self.words(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// Whether the programs run, and QEMU is one that works.
    fn check(&self) -> Result<()> {
        let version = output_of(self.qemu().arg("--version"))?;
        let major = version
            .split_once("version ")
            .and_then(|(_, rest)| rest.split('.').next()?.parse::<u32>().ok());
        ensure!(
            major.is_some_and(|major| major >= OLDEST_QEMU),
            "QEMU {OLDEST_QEMU} or later is needed, {BACKPORTS} has: {}",
            version.lines().next().unwrap_or_default()
        );
        let words = self.virtiofsd();
        output_of(Command::new(&words[0]).args(&words[1..]).arg("--version"))?;
        Ok(())
    }
}

fn output_of(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "`{}` failed: {}",
        command
            .get_args()
            .map(OsStr::to_string_lossy)
            .collect::<Vec<_>>()
            .join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
