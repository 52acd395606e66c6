//! The stretches in which the window was closed, and what the reader did in them.

use std::collections::VecDeque;

use agent_common::Snapshot;

use crate::join::state_times::StateTimes;

/// Stretches retained; when there are more, the oldest are dropped, and messages sent in them have
/// that time unknown.
pub(super) const MAX_STRETCHES: usize = 16_384;

/// A stretch in which the window was closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClosedStretch {
    pub(super) from: Snapshot,
    pub(super) to: Snapshot,
    /// The sum over all earlier stretches.
    pub(super) earlier: StateTimes,
}

impl ClosedStretch {
    /// What the reader did in it.
    pub(super) fn times(&self) -> StateTimes {
        StateTimes::between(&self.from, &self.to)
    }
}

/// The closed stretches that have ended.
#[derive(Debug, Default)]
pub(super) struct ClosedStretches {
    /// Oldest first.
    stretches: VecDeque<ClosedStretch>,
    /// The sum over all of them, dropped ones included.
    total: StateTimes,
    count: u64,
    longest_ns: u64,
}

impl ClosedStretches {
    /// Adds a stretch; an empty one is ignored. Returns the end of a stretch that had to be dropped
    /// for it, `CLOCK_MONOTONIC` ns.
    pub(super) fn add(&mut self, from: Snapshot, to: Snapshot) -> Option<u64> {
        if to.at_ns <= from.at_ns {
            return None;
        }
        let dropped = (self.stretches.len() >= MAX_STRETCHES)
            .then(|| self.stretches.pop_front())
            .flatten();
        let stretch = ClosedStretch {
            from,
            to,
            earlier: self.total,
        };
        self.stretches.push_back(stretch);
        self.total.add(&stretch.times());
        self.count += 1;
        self.longest_ns = self.longest_ns.max(to.at_ns - from.at_ns);
        dropped.map(|stretch| stretch.to.at_ns)
    }

    /// Drops all stretches; their sums remain.
    pub(super) fn clear(&mut self) {
        self.stretches.clear();
    }

    /// Drops stretches that ended at `sent_ns` or before it.
    pub(super) fn release_until(&mut self, sent_ns: u64) {
        while self
            .stretches
            .front()
            .is_some_and(|c| c.to.at_ns <= sent_ns)
        {
            self.stretches.pop_front();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// The stretches that overlap `sent_ns..arrived_ns`: the first, and the last where that is
    /// another one.
    pub(super) fn overlapping(
        &self,
        sent_ns: u64,
        arrived_ns: u64,
    ) -> Option<(&ClosedStretch, Option<&ClosedStretch>)> {
        let first = self.first_after(sent_ns);
        let end = self
            .stretches
            .partition_point(|c| c.from.at_ns < arrived_ns);
        if first >= end {
            return None;
        }
        let last = (first + 1 < end).then(|| &self.stretches[end - 1]);
        Some((&self.stretches[first], last))
    }

    /// When the first stretch that ended after `sent_ns` began.
    pub(super) fn first_from_ns(&self, sent_ns: u64) -> Option<u64> {
        let first = self.stretches.get(self.first_after(sent_ns))?;
        Some(first.from.at_ns)
    }

    fn first_after(&self, sent_ns: u64) -> usize {
        self.stretches.partition_point(|c| c.to.at_ns <= sent_ns)
    }

    /// What the reader did in all of them, dropped ones included.
    pub(super) const fn total(&self) -> &StateTimes {
        &self.total
    }

    /// How many there were, dropped ones included.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) const fn longest_ns(&self) -> u64 {
        self.longest_ns
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.stretches.len()
    }
}
