//! The process to watch: whether it is one, and when it ends.

use std::{
    io,
    num::NonZeroU32,
    os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

use procfs::process::Process;
use thiserror::Error;

/// The inode of the initial PID namespace (include/linux/proc_ns.h `PROC_PID_INIT_INO`).
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Why a process cannot be watched.
#[derive(Debug, Error)]
pub enum TargetError {
    /// No such process.
    #[error("no process {0}: give the pid of a running process")]
    Gone(u32),
    /// A thread.
    #[error("{tid} is a thread of process {pid}: use --pid {pid}")]
    Thread {
        /// As given.
        tid: u32,
        /// Its process.
        pid: u32,
    },
    /// The agent sees other pids than the kernel's probes.
    #[error(
        "tag52 runs in a PID namespace of its own, where pids are not the kernel's: \
         run it on the host, or in a pod with hostPID: true"
    )]
    Namespace,
    /// Anything else.
    #[error("process {pid} cannot be watched: {source}")]
    Io {
        /// Which.
        pid: u32,
        /// Why.
        source: io::Error,
    },
}

/// A process, by a handle that does not pass on to another process of the same number.
#[derive(Debug)]
pub struct Target {
    pidfd: OwnedFd,
}

impl Target {
    /// Finds the process.
    ///
    /// # Errors
    /// [`TargetError`]
    pub fn open(pid: NonZeroU32) -> Result<Self, TargetError> {
        in_initial_namespace()?;
        let number = pid.get();
        let signed = i32::try_from(number).map_err(|_| TargetError::Gone(number))?;
        let status = Process::new(signed)
            .and_then(|p| p.status())
            .map_err(|_| TargetError::Gone(number))?;
        if status.tgid != signed {
            return Err(TargetError::Thread {
                tid: number,
                pid: status.tgid as u32,
            });
        }
        // SAFETY: no pointers; the result is checked.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, signed, 0) };
        if fd < 0 {
            let source = io::Error::last_os_error();
            return Err(match source.raw_os_error() {
                Some(libc::ESRCH) => TargetError::Gone(number),
                _ => TargetError::Io {
                    pid: number,
                    source,
                },
            });
        }
        // SAFETY: a descriptor just opened, owned by nobody else.
        let pidfd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
        Ok(Self { pidfd })
    }
}

/// Readable once the process has ended.
impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

fn in_initial_namespace() -> Result<(), TargetError> {
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

    #[test]
    fn what_is_no_process_is_told() {
        let impossible = NonZeroU32::new(4_194_305).expect("not zero");
        assert!(matches!(
            Target::open(impossible),
            Err(TargetError::Gone(_))
        ));
    }

    #[test]
    fn a_thread_is_told_from_its_process() {
        let (send, tid) = std::sync::mpsc::channel();
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: no arguments.
            let tid = unsafe { libc::gettid() };
            send.send(tid as u32).expect("received");
            let _ended = wait.recv();
        });
        let tid = NonZeroU32::new(tid.recv().expect("sent")).expect("not zero");
        let opened = Target::open(tid);
        drop(stop);
        thread.join().expect("no panic");
        assert!(matches!(opened, Err(TargetError::Thread { .. })));
    }
}
