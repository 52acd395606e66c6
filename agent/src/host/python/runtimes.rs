//! Where CPython's runtime is in each process, and with it the GIL.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::{
    super::proc::ProcRoot,
    background::BackgroundSearch,
    mapped_files::MappedFiles,
    process::{ProcessIdentity, SearchedProcess},
    runtime::PythonRuntime,
};

/// Processes retained, at most.
const MAX_PROCESSES: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// How long a process is taken for the same without a check: execve(2) makes it another.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often a process without CPython is searched again: a library may be loaded later.
const SEARCH_INTERVAL: Duration = Duration::from_secs(5);

/// The processes searched so far, by pid.
#[derive(Debug)]
pub(in crate::host) struct PythonRuntimes {
    proc: ProcRoot,
    processes: LruCache<u32, SearchedProcess>,
    files: MappedFiles,
    background: BackgroundSearch,
}

impl PythonRuntimes {
    pub(in crate::host) fn new(proc: ProcRoot) -> Self {
        let files = MappedFiles::new(proc.clone());
        Self {
            background: BackgroundSearch::new(proc.clone(), files.clone()),
            processes: LruCache::new(MAX_PROCESSES),
            files,
            proc,
        }
    }

    /// Searches the files of a process in the background. A question about the process waits until
    /// the search has ended.
    pub(in crate::host) fn find_in_background(&mut self, pid: u32) {
        self.background.request(pid);
    }

    /// Whether a futex of the process at this address is CPython's global interpreter lock.
    pub(in crate::host) fn is_gil(&mut self, pid: u32, address: u64) -> bool {
        self.of(pid)
            .is_some_and(|runtime| runtime.has_gil_at(address))
    }

    /// CPython in this process; `None` without CPython, or without the process.
    pub(in crate::host) fn of(&mut self, pid: u32) -> Option<PythonRuntime> {
        self.at(pid, Instant::now())
    }

    /// Mapped files that could not be read, since the start.
    pub(in crate::host) fn unreadable_files(&self) -> u64 {
        self.files.unreadable()
    }

    /// Mapped files that were not searched because of their size, since the start.
    pub(in crate::host) fn large_files(&self) -> u64 {
        self.files.too_large()
    }

    fn at(&mut self, pid: u32, now: Instant) -> Option<PythonRuntime> {
        for (pid, process) in self.background.take_results(pid) {
            self.processes.put(pid, process);
        }
        let since = |then| now.saturating_duration_since(then);
        let retained = self.processes.get(&pid).copied();
        if let Some(process) = retained
            && since(process.checked) < CHECK_INTERVAL
        {
            return process.runtime;
        }
        let Some(identity) = ProcessIdentity::read(&self.proc, pid) else {
            self.processes.pop(&pid);
            return None;
        };
        let (runtime, searched) = match retained {
            Some(process)
                if process.identity == identity
                    && (process.runtime.is_some() || since(process.searched) < SEARCH_INTERVAL) =>
            {
                (process.runtime, process.searched)
            }
            _ => (self.files.find_runtime(pid), now),
        };
        let process = SearchedProcess {
            identity,
            runtime,
            checked: now,
            searched,
        };
        self.processes.put(pid, process);
        runtime
    }
}
