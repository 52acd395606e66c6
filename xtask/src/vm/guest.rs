//! One boot: the host's side of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::binaries::TestBinaries;
use super::emulator::Emulator;
use super::kernel::Kernel;
use workspace::child::Guarded;

/// The guest's memory.
const MEMORY: &str = "2G";

/// How long a guest may take besides its tests.
const BOOT_LIMIT: Duration = Duration::from_mins(3);

/// Boots the kernel, has it run the tests and returns what was written down (see `guest.sh`).
pub(super) fn run(
    emulator: &Emulator,
    kernel: &Kernel,
    subject: &TestBinaries,
    limit: u64,
) -> Result<String> {
    // In /tmp: the path of a socket is short.
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let job = kernel.log().with_file_name("job.sh");
    std::fs::write(&job, job_for(kernel, subject, limit))?;
    let socket = folder.path().join("share");
    let _share = share(
        emulator,
        folder.path(),
        &socket,
        &[&job, &subject.agent, &subject.tests, &subject.victims],
    )?;

    let mut command = emulator.qemu();
    command
        .args([
            "-M",
            "q35",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
        ])
        .args([
            "-m",
            MEMORY,
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
        ])
        .arg("-object")
        .arg(format!(
            "memory-backend-memfd,id=memory,size={MEMORY},share=on"
        ))
        .args(["-numa", "node,memdev=memory", "-chardev"])
        .arg(format!("socket,id=share,path={}", socket.display()))
        .args(["-device", "vhost-user-fs-pci,chardev=share,tag=host"])
        .arg("-serial")
        .arg(format!("file:{}", kernel.console().display()))
        .arg("-serial")
        .arg(format!("file:{}", kernel.log().display()))
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(kernel.initramfs())
        .arg("-append")
        .arg(format!(
            "console=ttyS0 panic=-1 oops=panic quiet mitigations=off job={}",
            job.display()
        ))
        .stdin(Stdio::null());
    let mut guest = Guarded::spawn(&mut command, "QEMU")?;
    let tests = u32::try_from(subject.names.len())? + 1;
    let status = guest
        .wait(BOOT_LIMIT + Duration::from_secs(limit) * tests)
        .with_context(|| format!("the guest did not end; see {}", kernel.console().display()))?;
    ensure!(status.success(), "QEMU failed ({status})");
    let report = std::fs::read(kernel.log()).unwrap_or_default();
    Ok(String::from_utf8_lossy(&report).replace('\r', ""))
}

/// Shares the host's root folder, read-only, on a socket. Ends with the guest.
fn share(emulator: &Emulator, folder: &Path, socket: &Path, needed: &[&Path]) -> Result<Guarded> {
    let root = folder.join("root");
    std::fs::create_dir(&root)?;
    let log = File::create(folder.join("virtiofsd.log"))?;
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-ec"])
        .arg(include_str!("share.sh"))
        .arg("share")
        .arg(&root)
        .arg(mount_points(needed)?.join(" "))
        .args(emulator.virtiofsd())
        .arg(format!("--socket-path={}", socket.display()))
        .args(["-o", &format!("source={}", root.display())])
        .args(["-o", "cache=always", "-o", "sandbox=chroot"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut daemon = Guarded::spawn(&mut command, "virtiofsd")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !socket.exists() {
        let ended = daemon.ended().is_some();
        ensure!(
            !ended && Instant::now() < deadline,
            "this machine's root folder cannot be shared: {}",
            std::fs::read_to_string(folder.join("virtiofsd.log"))
                .unwrap_or_default()
                .trim()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(daemon)
}

/// The mount points below the root that hold the files.
fn mount_points(files: &[&Path]) -> Result<Vec<String>> {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| path.metadata().map(|meta| meta.dev());
    let mut found = Vec::new();
    for file in files {
        let file = file
            .canonicalize()
            .with_context(|| format!("{} is missing", file.display()))?;
        let of_file = device(&file)?;
        let mut top: PathBuf = file;
        while let Some(parent) = top.parent() {
            if device(parent)? != of_file {
                found.push(top.display().to_string());
                break;
            }
            top = parent.to_owned();
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// `guest.sh` with what it is to run.
fn job_for(kernel: &Kernel, subject: &TestBinaries, limit: u64) -> String {
    let words = |paths: &[&Path]| {
        paths
            .iter()
            .map(|path| quote(&path.display().to_string()))
            .collect::<String>()
    };
    // Without its hooks the agent says so, and there is nothing to measure.
    let names: Vec<&str> = subject
        .names
        .iter()
        .map(String::as_str)
        .filter(|name| kernel.series.supported() || super::report::works_everywhere(name))
        .collect();
    format!(
        "AGENT={}\nTESTS={}\nMANIFEST={}\nLIMIT={limit}\nNAMES='{}'\n{}",
        words(&[&subject.agent]),
        words(&[&subject.tests]),
        words(&[&workspace::root().join("xtask")]),
        names.join(" "),
        include_str!("guest.sh")
    )
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
