//! The threads of the target processes.

use std::{collections::BTreeMap, time::Duration};

use super::readings::{LatestPair, LatestReadings};
use crate::domain::{Moment, ThreadUse};

/// Threads retained; further ones are ignored.
const MAX_THREADS: usize = 1024;

/// Threads without a reading for so long make room for others: their processes have ended.
const RETENTION: Duration = Duration::from_mins(2);

/// The latest readings of every thread, by process and thread.
#[derive(Debug, Default)]
pub(super) struct ThreadReadings(BTreeMap<(u32, u32), LatestReadings<ThreadUse>>);

impl ThreadReadings {
    /// Adds a reading, if there is room for its thread.
    pub(super) fn add(&mut self, at: Moment, reading: &ThreadUse) {
        let key = (reading.thread.pid, reading.thread.tid);
        if self.0.len() >= MAX_THREADS && !self.0.contains_key(&key) {
            self.0
                .retain(|_, readings| at.since(readings.latest.0) < RETENTION);
        }
        let room = self.0.len() < MAX_THREADS;
        if let Some(readings) = self.0.get_mut(&key) {
            readings.add(at, reading);
        } else if room {
            self.0.insert(key, LatestReadings::new(at, reading));
        }
    }

    /// Forgets threads that had no reading when other threads of their process last had one. The
    /// last threads of an ended process remain.
    pub(super) fn forget_ended(&mut self) {
        let mut latest = BTreeMap::<u32, u64>::new();
        for (&(pid, _), readings) in &self.0 {
            let at = latest.entry(pid).or_default();
            *at = readings.latest.0.monotonic_ns.max(*at);
        }
        self.0
            .retain(|(pid, _), readings| latest.get(pid) == Some(&readings.latest.0.monotonic_ns));
    }

    /// The name of a thread.
    pub(super) fn name(&self, pid: u32, tid: u32) -> Option<&str> {
        let (_, latest) = &self.0.get(&(pid, tid))?.latest;
        Some(&latest.thread.comm)
    }

    /// The latest two readings of every thread.
    pub(super) fn latest_pairs(&self) -> impl Iterator<Item = LatestPair<'_, ThreadUse>> {
        self.0.values().map(LatestReadings::pair)
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
    fn the_latest_two_are_retained() {
        let mut threads = ThreadReadings::default();
        for (second, ns) in [(1, 10), (2, 30), (4, 70)] {
            threads.add(at(second), &thread(1, 2, ns));
        }
        let pair = threads.latest_pairs().next().expect("a thread");
        let (before, length) = pair.before.expect("one before");
        assert_eq!((before.ns[1], pair.now.ns[1]), (30, 70));
        assert_eq!(length, Duration::from_secs(2));
    }

    #[test]
    fn ended_threads_go_and_those_of_ended_processes_stay() {
        let mut threads = ThreadReadings::default();
        for (pid, tid) in [(1, 2), (1, 3), (5, 6)] {
            threads.add(at(1), &thread(pid, tid, 0));
        }
        threads.add(at(2), &thread(1, 3, 0));
        threads.forget_ended();
        let retained: Vec<_> = threads.latest_pairs().map(|t| t.now.thread.tid).collect();
        assert_eq!(retained, [3, 6]);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut threads = ThreadReadings::default();
        for n in 0..5000 {
            threads.add(at(1), &thread(1, n, 0));
        }
        assert_eq!(threads.latest_pairs().count(), MAX_THREADS);
        threads.add(at(121), &thread(2, 7000, 0));
        assert_eq!(threads.latest_pairs().count(), 1);
    }
}
