//! Places overlapping slices on lanes: Perfetto's tracks take only slices that nest.

use std::collections::{BTreeSet, VecDeque};

/// The largest number of slices whose ends are retained to count overlaps.
const MAX_ENDS: usize = 1 << 17;
/// The largest number of slices of a lane that a later one may contain.
const MAX_TOPS: usize = 64;

/// Chooses slices evenly where more of them overlap than there are lanes. Without it, a hundred
/// slices in a row would be drawn and then none for as long as they last.
#[derive(Debug)]
pub(super) struct EvenSampler {
    /// The ends of the latest slices, in order.
    ends: VecDeque<u64>,
    since_drawn: usize,
    lanes: usize,
}

impl EvenSampler {
    /// Chooses for so many lanes.
    pub(super) const fn new(lanes: usize) -> Self {
        Self {
            ends: VecDeque::new(),
            since_drawn: usize::MAX,
            lanes,
        }
    }

    /// Whether a slice is to be drawn if a lane is free. Slices must come in the order of their
    /// ends.
    pub(super) fn is_due(&mut self, from: u64, to: u64) -> bool {
        while self.ends.front().is_some_and(|&end| end <= from) {
            self.ends.pop_front();
        }
        // As many of the earlier slices had not ended when this one began.
        let apart = self.ends.len().div_ceil(self.lanes.max(1));
        self.ends.push_back(to);
        if self.ends.len() > MAX_ENDS {
            self.ends.pop_front();
        }
        self.since_drawn = self.since_drawn.saturating_add(1);
        self.since_drawn >= apart
    }

    /// Records that the slice was drawn.
    pub(super) const fn record_drawn(&mut self) {
        self.since_drawn = 0;
    }
}

/// Gives each slice a lane on which it contains the slices that it overlaps.
///
/// Slices must come in the order of their ends: the waits within a wait end before it.
#[derive(Debug, Default)]
pub(super) struct NestingLanes(Vec<NestingLane>);

#[derive(Debug, Default)]
struct NestingLane {
    /// Begin and end of the slices that no other slice contains.
    tops: VecDeque<(u64, u64)>,
    /// The end of the slices that were forgotten.
    forgotten_until: u64,
}

impl NestingLane {
    fn take(&mut self, from: u64, to: u64) -> bool {
        if from < self.forgotten_until {
            return false;
        }
        // Of two slices that begin at one instant, the first in the trace is the outer one.
        let within = |&&(f, t): &&(u64, u64)| from < f && t <= to;
        let inner = self.tops.iter().rev().take_while(within).count();
        let left = self.tops.len() - inner;
        if left > 0 && self.tops[left - 1].1 > from {
            return false;
        }
        self.tops.truncate(left);
        self.tops.push_back((from, to));
        if self.tops.len() > MAX_TOPS
            && let Some((_, to)) = self.tops.pop_front()
        {
            self.forgotten_until = to;
        }
        true
    }
}

impl NestingLanes {
    /// A lane for a slice, of at most `limit` lanes; `None` when it fits on none.
    pub(super) fn take(&mut self, from: u64, to: u64, limit: usize) -> Option<usize> {
        if let Some(fits) = self.0.iter_mut().position(|nest| nest.take(from, to)) {
            return Some(fits);
        }
        if self.0.len() >= limit {
            return None;
        }
        let mut nest = NestingLane::default();
        nest.take(from, to);
        self.0.push(nest);
        Some(self.0.len() - 1)
    }
}

/// Gives each slice a lane on which no earlier slice overlaps it.
///
/// Slices must come in the order of their ends. The lane that has been free for the shortest time
/// is then the best, and no more lanes are used than slices overlap at any instant.
#[derive(Debug)]
pub(super) struct DisjointLanes {
    /// The lanes, by the instant at which each became free.
    free: BTreeSet<(u64, usize)>,
    limit: usize,
}

impl DisjointLanes {
    /// Uses at most `limit` lanes.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            free: BTreeSet::new(),
            limit,
        }
    }

    /// A lane for a slice; `None` when all of them are occupied at that time.
    pub(super) fn take(&mut self, from: u64, to: u64) -> Option<usize> {
        let fits = self.free.range(..=(from, usize::MAX)).next_back().copied();
        let lane = match fits {
            Some(entry) => {
                self.free.remove(&entry);
                entry.1
            }
            None if self.free.len() < self.limit => self.free.len(),
            None => return None,
        };
        self.free.insert((to, lane));
        Some(lane)
    }
}

#[cfg(test)]
mod tests;
