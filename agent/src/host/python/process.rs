//! The result of the search for CPython in one process.

use std::{fs, os::unix::fs::MetadataExt as _, time::Instant};

use super::{super::proc::ProcRoot, mapped_files::MappedFiles, runtime::PythonRuntime};

/// What changes when a process executes another program, or its pid is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessIdentity {
    /// Clock ticks since boot.
    started: u64,
    /// The addresses of code and stack, which execve(2) chooses at random.
    code: u64,
    stack: u64,
    /// Device and inode of the program.
    program: Option<(u64, u64)>,
}

impl ProcessIdentity {
    /// `None` when there is no such process.
    pub(super) fn read(proc: &ProcRoot, pid: u32) -> Option<Self> {
        let stat = proc.stat(pid)?;
        let program = fs::metadata(proc.file(pid, "exe")).ok();
        Some(Self {
            started: stat.starttime,
            code: stat.startcode,
            stack: stat.startstack,
            program: program.map(|file| (file.dev(), file.ino())),
        })
    }
}

/// A process that was searched for CPython.
#[derive(Clone, Copy, Debug)]
pub(super) struct SearchedProcess {
    pub(super) identity: ProcessIdentity,
    pub(super) runtime: Option<PythonRuntime>,
    /// When the identity was read last.
    pub(super) checked: Instant,
    /// When its files were searched.
    pub(super) searched: Instant,
}

impl SearchedProcess {
    /// Searches the files of a process; `None` when there is no such process.
    pub(super) fn search(proc: &ProcRoot, files: &MappedFiles, pid: u32) -> Option<Self> {
        // It may execute another program meanwhile. Its identity differs from this one then, and it
        // is searched again.
        let identity = ProcessIdentity::read(proc, pid)?;
        let runtime = files.find_runtime(pid);
        let now = Instant::now();
        Some(Self {
            identity,
            runtime,
            checked: now,
            searched: now,
        })
    }
}
