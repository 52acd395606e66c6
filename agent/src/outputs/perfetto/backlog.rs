//! The number of messages that were sent and not handed off, over the whole trace.

use std::collections::BTreeMap;

/// The largest number of instants of one session: an hour of tenths of a second.
const MAX_BINS: usize = 36_000;
/// The initial distance between two instants.
const INITIAL_WIDTH_NS: i64 = 100_000_000;

/// The course of the backlog of a session. It is complete only at the end, as a message in flight
/// becomes known when it has arrived. Changes are added up between instants at equal distances,
/// which double when there are too many; at each instant the number is exact.
#[derive(Debug)]
pub(super) struct Backlog {
    changes: BTreeMap<i64, i64>,
    width_ns: i64,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            changes: BTreeMap::new(),
            width_ns: INITIAL_WIDTH_NS,
        }
    }
}

impl Backlog {
    /// Adds a message that was under way between two instants.
    pub(super) fn add(&mut self, sent: i64, handed_off: i64) {
        if sent >= handed_off {
            return;
        }
        self.change(sent, 1);
        self.change(handed_off, -1);
    }

    fn change(&mut self, at: i64, by: i64) {
        *self
            .changes
            .entry(at.div_euclid(self.width_ns))
            .or_default() += by;
        if self.changes.len() > MAX_BINS {
            self.width_ns *= 2;
            let mut coarse = BTreeMap::new();
            for (bin, by) in std::mem::take(&mut self.changes) {
                *coarse.entry(bin.div_euclid(2)).or_default() += by;
            }
            self.changes = coarse;
        }
    }

    /// The instants, and how many messages were under way at each.
    pub(super) fn course(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let changes = self.changes.iter().filter(|(_, by)| **by != 0);
        changes.scan(0, |count, (bin, by)| {
            *count += by;
            Some(((bin + 1) * self.width_ns, *count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_at_its_instants() {
        let mut backlog = Backlog::default();
        let ms = 1_000_000;
        backlog.add(10 * ms, 350 * ms);
        backlog.add(120 * ms, 360 * ms);
        backlog.add(130 * ms, 140 * ms);
        backlog.add(500 * ms, 400 * ms);
        let course: Vec<_> = backlog.course().collect();
        assert_eq!(course, [(100 * ms, 1), (200 * ms, 2), (400 * ms, 0)]);
    }

    #[test]
    fn grows_coarser_instead_of_larger() {
        let mut backlog = Backlog::default();
        let n = 3 * MAX_BINS as i64;
        for i in 0..n {
            backlog.add(i * INITIAL_WIDTH_NS, (i + 10) * INITIAL_WIDTH_NS);
        }
        assert!(backlog.changes.len() <= MAX_BINS);
        assert_eq!(backlog.course().last().map(|(_, count)| count), Some(0));
        assert!(backlog.course().all(|(_, count)| (0..=10).contains(&count)));
        assert!(backlog.course().any(|(_, count)| count == 10));
    }
}
