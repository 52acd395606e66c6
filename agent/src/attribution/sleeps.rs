//! The sleeps that lock waits under way consist of.

use std::collections::HashMap;

/// Sleeps retained per lock wait, at 5 ms each (CPython) some five minutes.
const MAX_SLEEPS: usize = 1 << 16;

/// One sleep: its begin and its end, `CLOCK_MONOTONIC` nanoseconds.
pub(super) type Sleep = (u64, u64);

/// The sleeps of lock waits that go on, by thread.
#[derive(Debug, Default)]
pub(super) struct OpenSleeps(HashMap<u32, Vec<Sleep>>);

impl OpenSleeps {
    /// A sleep is over, and the lock wait goes on. Beyond [`MAX_SLEEPS`] it is dropped.
    pub(super) fn add(&mut self, tid: u32, from: u64, to: u64) {
        let sleeps = self.0.entry(tid).or_default();
        if sleeps.len() < MAX_SLEEPS && from < to {
            sleeps.push((from, to));
        }
    }

    /// The lock wait of a thread is over: takes its earlier sleeps, in order.
    pub(super) fn take(&mut self, tid: u32) -> Vec<Sleep> {
        self.0.remove(&tid).unwrap_or_default()
    }

    /// The threads in a lock wait of more than one sleep.
    pub(super) fn tids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.keys().copied()
    }

    pub(super) fn thread_ended(&mut self, tid: u32) {
        self.0.remove(&tid);
    }
}

/// The number of sleeps that a timer ended. The timer is set to the same time again and again: a
/// sleep of less than half of the median was ended by a wake-up that no hook observed.
pub(super) fn timed_out(sleeps: &[Sleep]) -> u32 {
    let mut lengths: Vec<u64> = sleeps.iter().map(|(from, to)| to - from).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let sooner = lengths.partition_point(|&length| length < median / 2);
    (lengths.len() - sooner) as u32
}
