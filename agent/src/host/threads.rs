//! The names of threads, and whose threads they are.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::{
    cgroups::CgroupHierarchies,
    container::CgroupOwner,
    proc::{ProcRoot, ThreadStatus},
};
use crate::domain::{RunnerRelation, ThreadName};

/// `PF_KTHREAD` (include/linux/sched.h).
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Threads retained, at most.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// How long an entry is valid: names change, and tids are reused.
const VALIDITY: Duration = Duration::from_secs(1);

/// How long an ended thread is retained: its last waits are published after its end.
const ENDED_RETENTION: Duration = Duration::from_mins(1);

#[derive(Clone, Debug)]
struct ThreadEntry {
    name: ThreadName,
    /// The thread's id in the innermost of its PID namespaces; 0 when unknown.
    inner_tid: u32,
    /// Clock ticks since boot; a later thread of the same tid has another one.
    started: u64,
    is_kernel: bool,
    /// The path of its cgroup below the mount.
    cgroup: String,
    /// When it was read from /proc last.
    checked: Instant,
    /// When it existed last.
    alive: Instant,
}

/// Resolves tids to names, with a table of those resolved lately.
#[derive(Debug)]
pub(super) struct ThreadResolver {
    proc: ProcRoot,
    hierarchies: Arc<CgroupHierarchies>,
    entries: LruCache<u32, ThreadEntry>,
}

impl ThreadResolver {
    pub(super) fn new(proc: ProcRoot, hierarchies: Arc<CgroupHierarchies>) -> Self {
        Self {
            proc,
            hierarchies,
            entries: LruCache::new(MAX_THREADS),
        }
    }

    /// A thread's name and process. An ended thread keeps its name for a minute; one that was never
    /// registered has an empty name.
    pub(super) fn name(&mut self, tid: u32) -> ThreadName {
        match self.entry(tid, Instant::now()) {
            Some(entry) => entry.name.clone(),
            None => unknown_name(tid),
        }
    }

    /// A thread's id in the innermost of its PID namespaces; `None` when the thread is unknown.
    pub(super) fn inner_tid(&mut self, tid: u32) -> Option<u32> {
        let entry = self.entry(tid, Instant::now())?;
        Some(entry.inner_tid).filter(|&inner| inner != 0)
    }

    /// The path of a thread's cgroup below the mount of the hierarchy with the CPU controller;
    /// empty when unknown.
    pub(super) fn cgroup(&mut self, tid: u32) -> String {
        self.entry(tid, Instant::now())
            .map(|entry| entry.cgroup.clone())
            .unwrap_or_default()
    }

    /// How a thread relates to the process `reader_pid`. An unknown thread counts as one of another
    /// cgroup.
    pub(super) fn relation(&mut self, tid: u32, reader_pid: u32) -> RunnerRelation {
        self.relation_at(tid, reader_pid, Instant::now())
    }

    fn relation_at(&mut self, tid: u32, reader_pid: u32, now: Instant) -> RunnerRelation {
        let Some(other) = self.entry(tid, now) else {
            return RunnerRelation::OtherCgroup;
        };
        if other.is_kernel {
            return RunnerRelation::Kernel;
        }
        if other.name.pid == reader_pid {
            return RunnerRelation::SameProcess;
        }
        let cgroup = other.cgroup.clone();
        match self.entry(reader_pid, now) {
            Some(own) if group_of(&own.cgroup).is_some_and(|g| group_of(&cgroup) == Some(g)) => {
                RunnerRelation::SameCgroup
            }
            _ => RunnerRelation::OtherCgroup,
        }
    }

    fn entry(&mut self, tid: u32, now: Instant) -> Option<&ThreadEntry> {
        let is_valid = self
            .entries
            .get(&tid)
            .is_some_and(|entry| now.saturating_duration_since(entry.checked) < VALIDITY);
        if !is_valid {
            self.refresh(tid, now);
        }
        self.entries.peek(&tid)
    }

    /// Reads a thread from /proc.
    fn refresh(&mut self, tid: u32, now: Instant) {
        if tid == 0 {
            self.entries.put(tid, idle_thread(now));
            return;
        }
        let Some(stat) = self.proc.stat(tid) else {
            self.expire(tid, now);
            return;
        };
        let cgroup = self
            .hierarchies
            .path_of(&self.proc, tid)
            .unwrap_or_default();
        if let Some(entry) = self.entries.get_mut(&tid)
            && entry.started == stat.starttime
        {
            entry.name.comm = stat.comm;
            // An exiting thread is in the root cgroup already.
            if !matches!(stat.state, 'Z' | 'X') {
                entry.cgroup = cgroup;
            }
            (entry.checked, entry.alive) = (now, now);
            return;
        }
        let status = self.proc.status(tid).ok();
        let pid = status.as_ref().and_then(ThreadStatus::tgid);
        let inner_tid = status.as_ref().and_then(ThreadStatus::inner_tid);
        let entry = ThreadEntry {
            name: ThreadName {
                tid,
                pid: pid.unwrap_or(0),
                comm: stat.comm,
            },
            inner_tid: inner_tid.unwrap_or(0),
            started: stat.starttime,
            is_kernel: stat.flags & KERNEL_THREAD != 0,
            cgroup,
            checked: now,
            alive: now,
        };
        self.entries.put(tid, entry);
    }

    /// Forgets an ended thread once its retention is over.
    fn expire(&mut self, tid: u32, now: Instant) {
        let is_retained = self.entries.get_mut(&tid).is_some_and(|entry| {
            entry.checked = now;
            now.saturating_duration_since(entry.alive) < ENDED_RETENTION
        });
        if !is_retained {
            self.entries.pop(&tid);
        }
    }
}

/// The idle thread of each CPU, which /proc does not have.
fn idle_thread(now: Instant) -> ThreadEntry {
    ThreadEntry {
        name: ThreadName {
            comm: "swapper".to_owned(),
            ..unknown_name(0)
        },
        inner_tid: 0,
        started: 0,
        is_kernel: true,
        cgroup: "/".to_owned(),
        checked: now,
        alive: now,
    }
}

fn unknown_name(tid: u32) -> ThreadName {
    ThreadName {
        tid,
        pid: 0,
        comm: String::new(),
    }
}

/// The group that shares a limit with the cgroup: in Kubernetes the pod, below whose cgroup each
/// container has its own; else the cgroup itself. `None` for the root, which is nobody's in
/// particular.
fn group_of(cgroup: &str) -> Option<String> {
    if matches!(cgroup, "" | "/") {
        return None;
    }
    let pod = CgroupOwner::of_path(cgroup).pod;
    Some(pod.map_or_else(|| cgroup.to_owned(), |pod| pod.uid))
}

#[cfg(test)]
mod tests;
