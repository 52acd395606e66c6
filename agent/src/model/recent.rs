//! Cumulative accounts, of which the latest two are kept: what lies between them is the present.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::{Moment, ThreadUse};

/// Threads kept; more are not shown.
const MOST_THREADS: usize = 1024;
/// Those that were not told of for so long make room for others.
const SILENT: Duration = Duration::from_secs(120);

/// The latest two accounts of one thing.
#[derive(Clone, Copy, Debug)]
pub struct LatestPair<'a, T> {
    /// The one before, and how long before; `None` while there is only one.
    pub before: Option<(&'a T, Duration)>,
    /// The latest.
    pub now: &'a T,
}

/// The same, kept.
#[derive(Clone, Debug)]
pub(super) struct Readings<T> {
    before: Option<(Moment, T)>,
    pub(super) latest: (Moment, T),
}

impl<T: Clone> Readings<T> {
    pub(super) fn first(at: Moment, read: &T) -> Self {
        Self {
            before: None,
            latest: (at, read.clone()),
        }
    }

    pub(super) fn push(&mut self, at: Moment, read: &T) {
        let before = std::mem::replace(&mut self.latest, (at, read.clone()));
        self.before = Some(before);
    }

    pub(super) fn recent(&self) -> LatestPair<'_, T> {
        let (at, now) = &self.latest;
        LatestPair {
            before: self.before.as_ref().map(|(then, t)| (t, at.since(*then))),
            now,
        }
    }
}

/// The accounts of threads, by process and thread.
#[derive(Debug, Default)]
pub(super) struct Threads(BTreeMap<(u32, u32), Readings<ThreadUse>>);

impl Threads {
    /// Keeps an account; of more than so many threads nothing is kept.
    pub(super) fn read(&mut self, at: Moment, read: &ThreadUse) {
        let key = (read.thread.pid, read.thread.tid);
        if self.0.len() >= MOST_THREADS && !self.0.contains_key(&key) {
            // Of processes that have ended.
            self.0.retain(|_, known| at.since(known.latest.0) < SILENT);
        }
        let room = self.0.len() < MOST_THREADS;
        if let Some(known) = self.0.get_mut(&key) {
            known.push(at, read);
        } else if room {
            self.0.insert(key, Readings::first(at, read));
        }
    }

    /// Forgets threads that were not told of when others of their process last were. The last
    /// threads of a process that has ended stay.
    pub(super) fn forget_ended(&mut self) {
        let mut latest = BTreeMap::<u32, u64>::new();
        for (&(pid, _), thread) in &self.0 {
            let at = latest.entry(pid).or_default();
            *at = thread.latest.0.monotonic_ns.max(*at);
        }
        self.0
            .retain(|(pid, _), thread| latest.get(pid) == Some(&thread.latest.0.monotonic_ns));
    }

    pub(super) fn name(&self, pid: u32, tid: u32) -> Option<&str> {
        let (_, latest) = &self.0.get(&(pid, tid))?.latest;
        Some(&latest.thread.comm)
    }

    pub(super) fn recent(&self) -> impl Iterator<Item = LatestPair<'_, ThreadUse>> {
        self.0.values().map(Readings::recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ThreadName;

    fn at(seconds: u64) -> Moment {
        Moment {
            monotonic_ns: seconds * 1_000_000_000,
            utc_ns: 0,
        }
    }

    fn thread(pid: u32, tid: u32, on_cpu_ns: u64) -> ThreadUse {
        ThreadUse {
            thread: ThreadName {
                tid,
                pid,
                comm: String::new(),
            },
            tracked: true,
            ns: [0, on_cpu_ns, 0, 0, 0, 0, 0],
        }
    }

    #[test]
    fn the_latest_two_are_kept() {
        let mut threads = Threads::default();
        for (second, ns) in [(1, 10), (2, 30), (4, 70)] {
            threads.read(at(second), &thread(1, 2, ns));
        }
        let recent = threads.recent().next().expect("a thread");
        let (before, length) = recent.before.expect("one before");
        assert_eq!((before.ns[1], recent.now.ns[1]), (30, 70));
        assert_eq!(length, Duration::from_secs(2));
    }

    #[test]
    fn ended_threads_go_and_those_of_ended_processes_stay() {
        let mut threads = Threads::default();
        for (pid, tid) in [(1, 2), (1, 3), (5, 6)] {
            threads.read(at(1), &thread(pid, tid, 0));
        }
        threads.read(at(2), &thread(1, 3, 0));
        threads.forget_ended();
        let left: Vec<_> = threads.recent().map(|t| t.now.thread.tid).collect();
        assert_eq!(left, [3, 6]);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut threads = Threads::default();
        for n in 0..5000 {
            threads.read(at(1), &thread(1, n, 0));
        }
        assert_eq!(threads.recent().count(), MOST_THREADS);
        threads.read(at(121), &thread(2, 7000, 0));
        assert_eq!(threads.recent().count(), 1);
    }
}
