//! Where CPython's runtime is in a process, and with it the GIL.

use std::{
    fs,
    num::NonZeroUsize,
    os::unix::fs::MetadataExt as _,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::{super::proc::Proc, background::Ahead, mapped_files::Files};

/// So many processes are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// So long a process is taken for what it was: it may have become another by execve(2).
const FRESH: Duration = Duration::from_secs(1);

/// So often a process without CPython is looked at again: a library may be loaded later.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// CPython in a process, by its own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) struct Runtime {
    /// `_PyRuntime`.
    pub(in crate::host) start: u64,
    /// Its size, bytes.
    pub(in crate::host) size: u64,
    /// `Py_Version`: `0x030b07f0` is 3.11.7. From 3.11 on.
    pub(in crate::host) version: Option<u32>,
    /// Built to run without a GIL.
    pub(in crate::host) free_threaded: bool,
    /// `PyCode_Type`.
    pub(in crate::host) code_type: Option<u64>,
    /// `PyUnicode_Type`.
    pub(in crate::host) text_type: Option<u64>,
}

impl Runtime {
    /// Whether a futex there is the GIL. The only futexes inside of `_PyRuntime` are those of the
    /// main interpreter's GIL, its own since 3.12; other locks of the runtime are allocated.
    fn has_gil_at(&self, address: u64) -> bool {
        !self.free_threaded && (self.start..self.start + self.size).contains(&address)
    }
}

/// What a process cannot keep when it becomes another program, or another process of the same
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    started: u64,
    /// Where its code and its stack are: random with every execve(2).
    code: u64,
    stack: u64,
    /// Device and inode of its program.
    program: Option<(u64, u64)>,
}

impl Identity {
    fn of(proc: &Proc, pid: u32) -> Option<Self> {
        let stat = proc.stat(pid)?;
        let program = fs::metadata(proc.of(pid, "exe")).ok();
        Some(Self {
            started: stat.starttime,
            code: stat.startcode,
            stack: stat.startstack,
            program: program.map(|file| (file.dev(), file.ino())),
        })
    }
}

/// What was found out about a process, and when.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct Known {
    identity: Identity,
    runtime: Option<Runtime>,
    checked: Instant,
    looked: Instant,
}

impl Known {
    /// Looks through its files; `None` when there is no such process.
    pub(in crate::host) fn find(proc: &Proc, files: &Files, pid: u32) -> Option<Self> {
        // It may become another meanwhile: then this is not its identity any more, and it is looked
        // at again.
        let identity = Identity::of(proc, pid)?;
        let runtime = files.look(pid);
        let now = Instant::now();
        Some(Self {
            identity,
            runtime,
            checked: now,
            looked: now,
        })
    }
}

/// The processes looked at so far.
#[derive(Debug)]
pub(in crate::host) struct Symbols {
    proc: Proc,
    processes: LruCache<u32, Known>,
    pub(in crate::host) files: Files,
    ahead: Ahead,
}

impl Symbols {
    pub(in crate::host) fn new(proc: Proc) -> Self {
        let files = Files::new(proc.clone());
        Self {
            ahead: Ahead::new(proc.clone(), files.clone()),
            processes: LruCache::new(KEPT),
            files,
            proc,
        }
    }

    /// Looks through the files of a process on another thread. Whoever asks before that is done
    /// waits for it.
    pub(in crate::host) fn look_ahead(&mut self, pid: u32) {
        self.ahead.look(pid);
    }

    /// Whether a futex of the process at this address is CPython's global interpreter lock.
    pub(in crate::host) fn is_gil(&mut self, pid: u32, address: u64) -> bool {
        self.runtime(pid)
            .is_some_and(|runtime| runtime.has_gil_at(address))
    }

    /// CPython in this process.
    pub(in crate::host) fn runtime(&mut self, pid: u32) -> Option<Runtime> {
        self.runtime_at(pid, Instant::now())
    }

    fn runtime_at(&mut self, pid: u32, now: Instant) -> Option<Runtime> {
        for (pid, known) in self.ahead.done(pid) {
            self.processes.put(pid, known);
        }
        let since = |then| now.saturating_duration_since(then);
        let known = self.processes.get(&pid).copied();
        if let Some(known) = known
            && since(known.checked) < FRESH
        {
            return known.runtime;
        }
        let Some(identity) = Identity::of(&self.proc, pid) else {
            self.processes.pop(&pid);
            return None;
        };
        let (runtime, looked) = match known {
            Some(known)
                if known.identity == identity
                    && (known.runtime.is_some() || since(known.looked) < LOOK_AGAIN) =>
            {
                (known.runtime, known.looked)
            }
            _ => (self.files.look(pid), now),
        };
        let known = Known {
            identity,
            runtime,
            checked: now,
            looked,
        };
        self.processes.put(pid, known);
        runtime
    }
}
