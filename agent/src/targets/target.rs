//! The processes given with `--pid`: checked, and held by a pidfd.

use std::{
    fmt, io,
    num::NonZeroU32,
    os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd},
};

use procfs::process::Process;
use thiserror::Error;

/// The inode of the initial PID namespace (include/linux/proc_ns.h `PROC_PID_INIT_INO`).
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Processes that can be given at a time: each takes a descriptor, and one line names them all.
const MAX_TARGETS: usize = 64;

/// Why a process cannot be watched.
#[derive(Debug, Error)]
pub enum TargetError {
    /// There is no such process.
    #[error("no process {0}: give the pid of a running process")]
    NotRunning(u32),
    /// The number is a thread's, not a process's.
    #[error("{tid} is a thread of process {pid}: use --pid {pid}")]
    Thread {
        /// The number given.
        tid: u32,
        /// Its process.
        pid: u32,
    },
    /// A process is given more than once.
    #[error("process {0} is given twice")]
    Twice(u32),
    /// More processes are given than can be watched.
    #[error("{0} processes are given: give at most {MAX_TARGETS}, or use --all")]
    TooMany(usize),
    /// The agent is in a PID namespace of its own, so that the probes report other pids.
    #[error(
        "tag52 runs in a PID namespace of its own, where pids are not the kernel's: \
         run it on the host, or in a pod with hostPID: true"
    )]
    Namespace,
    /// The process cannot be opened for another reason.
    #[error("process {pid} cannot be watched: {source}")]
    Io {
        /// The process.
        pid: u32,
        /// The reason.
        source: io::Error,
    },
}

/// A process, held by a pidfd: a later process of the same pid is not taken for it.
#[derive(Debug)]
pub(crate) struct Target {
    pid: NonZeroU32,
    pidfd: OwnedFd,
}

impl Target {
    /// Opens a process.
    ///
    /// # Errors
    /// [`TargetError`]: no such process, a thread, or the system refuses.
    pub(crate) fn open(pid: NonZeroU32) -> Result<Self, TargetError> {
        let number = pid.get();
        let signed = i32::try_from(number).map_err(|_| TargetError::NotRunning(number))?;
        let status = Process::new(signed)
            .and_then(|p| p.status())
            .map_err(|_| TargetError::NotRunning(number))?;
        if status.tgid != signed {
            return Err(TargetError::Thread {
                tid: number,
                pid: status.tgid as u32,
            });
        }
        // SAFETY: pidfd_open(2) takes no pointers, and the result is checked.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, signed, 0) };
        if fd < 0 {
            let source = io::Error::last_os_error();
            return Err(match source.raw_os_error() {
                Some(libc::ESRCH) => TargetError::NotRunning(number),
                _ => TargetError::Io {
                    pid: number,
                    source,
                },
            });
        }
        // SAFETY: the descriptor was just opened and nothing else owns it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
        Ok(Self { pid, pidfd })
    }

    pub(crate) const fn pid(&self) -> NonZeroU32 {
        self.pid
    }
}

/// Readable once the process has ended.
impl AsRawFd for Target {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}

/// The processes given with `--pid`.
#[derive(Debug)]
pub(crate) struct Targets(Vec<Target>);

impl Targets {
    /// Opens all of them.
    ///
    /// # Errors
    /// [`TargetError`] of the first that cannot be watched.
    pub(crate) fn open(pids: &[NonZeroU32]) -> Result<Self, TargetError> {
        require_initial_namespace()?;
        if pids.len() > MAX_TARGETS {
            return Err(TargetError::TooMany(pids.len()));
        }
        let is_repeated = |i: usize| pids[..i].contains(&pids[i]);
        if let Some(i) = (0..pids.len()).find(|&i| is_repeated(i)) {
            return Err(TargetError::Twice(pids[i].get()));
        }
        let targets = pids.iter().map(|&pid| Target::open(pid));
        targets.collect::<Result<_, _>>().map(Self)
    }
}

impl IntoIterator for Targets {
    type Item = Target;
    type IntoIter = std::vec::IntoIter<Target>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// `pid 411`, or `pids 411, 412 and 413`.
impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "pid " } else { "pids " })?;
        for (i, target) in self.0.iter().enumerate() {
            let separator = match i {
                0 => "",
                _ if i + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{separator}{}", target.pid)?;
        }
        Ok(())
    }
}

/// Checks that the agent is in the initial PID namespace, whose pids the probes report.
///
/// # Errors
/// [`TargetError::Namespace`]
pub(crate) fn require_initial_namespace() -> Result<(), TargetError> {
    let namespaces = Process::myself().and_then(|p| p.namespaces());
    let inode = namespaces.ok().and_then(|all| {
        all.0
            .get(std::ffi::OsStr::new("pid"))
            .map(|ns| ns.identifier)
    });
    match inode {
        Some(inode) if inode != INITIAL_PID_NAMESPACE => Err(TargetError::Namespace),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).expect("not zero")
    }

    #[test]
    fn a_pid_without_a_process_is_refused() {
        let here = pid(std::process::id());
        let impossible = pid(4_194_305);
        assert!(matches!(
            Targets::open(&[here, impossible]),
            Err(TargetError::NotRunning(4_194_305))
        ));
    }

    #[test]
    fn too_many_and_repeated_pids_are_refused() {
        let (here, init) = (pid(std::process::id()), pid(1));
        let twice = Targets::open(&[here, init, here]);
        assert!(matches!(twice, Err(TargetError::Twice(id)) if id == here.get()));
        let many: Vec<_> = (1..=65).map(pid).collect();
        assert!(matches!(
            Targets::open(&many),
            Err(TargetError::TooMany(65))
        ));
    }

    #[test]
    fn one_line_names_all_processes() {
        let named = |count| {
            let own = |n| Target {
                pid: pid(n),
                pidfd: std::fs::File::open("/dev/null").expect("opens").into(),
            };
            Targets((1..=count).map(own).collect()).to_string()
        };
        assert_eq!(named(1), "pid 1");
        assert_eq!(named(2), "pids 1 and 2");
        assert_eq!(named(4), "pids 1, 2, 3 and 4");
    }

    #[test]
    fn a_thread_is_refused_with_its_process() {
        let (send, tid) = std::sync::mpsc::channel();
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: no arguments.
            let tid = unsafe { libc::gettid() };
            send.send(tid as u32).expect("received");
            let _ended = wait.recv();
        });
        let tid = pid(tid.recv().expect("sent"));
        let opened = Targets::open(&[tid]);
        drop(stop);
        thread.join().expect("no panic");
        assert!(matches!(opened, Err(TargetError::Thread { .. })));
    }
}
