//! Cumulative accounts, of which the latest two are kept: what lies between them is the present.

use std::{collections::BTreeMap, time::Duration};

use super::{cgroup::CgroupUse, moment::Moment, thread_use::ThreadUse};

/// Threads kept; more are not shown.
const MOST_THREADS: usize = 1024;
/// Processes whose cgroups are kept: as many as can be watched.
const MOST_PROCESSES: usize = 64;

/// The latest two accounts of one thing.
#[derive(Clone, Debug)]
pub struct Recent<T> {
    /// The one before, and how long before; `None` while there is only one.
    pub before: Option<(T, Duration)>,
    /// The latest.
    pub now: T,
    at: Moment,
}

impl<T> Recent<T> {
    fn new(at: Moment, now: T) -> Self {
        Self {
            before: None,
            now,
            at,
        }
    }

    fn push(&mut self, at: Moment, now: T) {
        let before = std::mem::replace(&mut self.now, now);
        self.before = Some((before, at.since(self.at)));
        self.at = at;
    }
}

/// The accounts of threads and cgroups.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    threads: BTreeMap<(u32, u32), Recent<ThreadUse>>,
    cgroups: BTreeMap<u32, Recent<CgroupUse>>,
}

impl Accounts {
    pub(super) fn thread(&mut self, at: Moment, told: &ThreadUse) {
        let key = (told.pid, told.tid);
        keep(&mut self.threads, MOST_THREADS, key, at, told);
    }

    pub(super) fn cgroup(&mut self, at: Moment, told: &CgroupUse) {
        keep(&mut self.cgroups, MOST_PROCESSES, told.pid, at, told);
    }

    /// Forgets threads that were not told of when others of their process last were. The last threads
    /// of a process that has ended stay.
    pub(super) fn forget_ended_threads(&mut self) {
        let mut latest = BTreeMap::<u32, u64>::new();
        for (&(pid, _), thread) in &self.threads {
            let at = latest.entry(pid).or_default();
            *at = thread.at.monotonic_ns.max(*at);
        }
        self.threads
            .retain(|(pid, _), thread| latest.get(pid) == Some(&thread.at.monotonic_ns));
    }

    pub(super) fn threads(&self) -> impl Iterator<Item = &Recent<ThreadUse>> + '_ {
        self.threads.values()
    }

    pub(super) fn cgroups(&self) -> impl Iterator<Item = &Recent<CgroupUse>> + '_ {
        self.cgroups.values()
    }
}

/// Keeps an account; of more than `most` things nothing is kept.
fn keep<K: Ord, T: Clone>(
    all: &mut BTreeMap<K, Recent<T>>,
    most: usize,
    key: K,
    at: Moment,
    told: &T,
) {
    if let Some(known) = all.get_mut(&key) {
        known.push(at, told.clone());
    } else if all.len() < most {
        all.insert(key, Recent::new(at, told.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment {
            monotonic_ns: seconds * 1_000_000_000,
            utc_ns: 0,
        }
    }

    fn thread(pid: u32, tid: u32, on_cpu_ns: u64) -> ThreadUse {
        ThreadUse {
            pid,
            tid,
            ns: [0, on_cpu_ns, 0, 0, 0, 0, 0],
            ..ThreadUse::default()
        }
    }

    #[test]
    fn the_latest_two_are_kept() {
        let mut accounts = Accounts::default();
        for (second, ns) in [(1, 10), (2, 30), (4, 70)] {
            accounts.thread(at(second), &thread(1, 2, ns));
        }
        let recent = accounts.threads().next().expect("a thread");
        let (before, length) = recent.before.as_ref().expect("one before");
        assert_eq!((before.ns[1], recent.now.ns[1]), (30, 70));
        assert_eq!(*length, Duration::from_secs(2));
    }

    #[test]
    fn ended_threads_go_and_those_of_ended_processes_stay() {
        let mut accounts = Accounts::default();
        for (pid, tid) in [(1, 2), (1, 3), (5, 6)] {
            accounts.thread(at(1), &thread(pid, tid, 0));
        }
        accounts.thread(at(2), &thread(1, 3, 0));
        accounts.forget_ended_threads();
        let left: Vec<_> = accounts.threads().map(|t| t.now.tid).collect();
        assert_eq!(left, [3, 6]);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut accounts = Accounts::default();
        for n in 0..5000 {
            accounts.thread(at(1), &thread(1, n, 0));
            let told = CgroupUse {
                pid: n,
                levels: Vec::new(),
            };
            accounts.cgroup(at(1), &told);
        }
        assert_eq!(accounts.threads().count(), MOST_THREADS);
        assert_eq!(accounts.cgroups().count(), MOST_PROCESSES);
    }
}
