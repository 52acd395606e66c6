//! The reader's counters at an instant for which there is no snapshot.
//!
//! A message that is held back was sent at an instant that no probe observed. The counters at that
//! instant are interpolated between the snapshots around it: exact in their sum, and in their split
//! as close as those snapshots are to each other.

use std::collections::VecDeque;

use agent_common::Snapshot;

use super::state_times::StateTimes;

/// Snapshots retained; when there are more, every second one of the older half is dropped.
const MAX_SNAPSHOTS: usize = 8192;

/// The snapshots of the reader, oldest first. Where another thread took over, the time between the
/// last snapshot of the old reader and the first one of the new is unknown.
#[derive(Debug, Default)]
pub(super) struct ReaderTimeline {
    points: VecDeque<Snapshot>,
}

impl ReaderTimeline {
    /// Adds a snapshot; one that is not newer than the last is ignored.
    pub(super) fn add(&mut self, point: Snapshot) {
        if point.tid == 0 {
            return;
        }
        match self.points.back() {
            Some(last) if last.at_ns >= point.at_ns => return,
            _ => {}
        }
        if self.points.len() >= MAX_SNAPSHOTS {
            self.thin();
        }
        self.points.push_back(point);
    }

    fn thin(&mut self) {
        let half = self.points.len() / 2;
        let mut index = 0;
        self.points.retain(|_| {
            index += 1;
            index > half || index % 2 == 1
        });
    }

    /// Drops all snapshots but the newest.
    pub(super) fn retain_newest(&mut self) {
        if let Some(last) = self.points.pop_back() {
            self.points.clear();
            self.points.push_back(last);
        }
    }

    /// The newest snapshot.
    pub(super) fn last(&self) -> Option<&Snapshot> {
        self.points.back()
    }

    /// The counters at `at_ns`; `None` before the first snapshot, after the last, and between two
    /// readers.
    pub(super) fn at(&self, at_ns: u64) -> Option<Snapshot> {
        let index = self.points.partition_point(|p| p.at_ns < at_ns);
        let after = self.points.get(index)?;
        if after.at_ns == at_ns {
            return Some(*after);
        }
        let before = self.points.get(index.checked_sub(1)?)?;
        if !after.continues(before) {
            return None;
        }
        Some(interpolate(before, after, at_ns))
    }
}

/// Splits `before..after` in proportion. The rounding goes to the state that grew most, so that the
/// sum is exact.
fn interpolate(before: &Snapshot, after: &Snapshot, at_ns: u64) -> Snapshot {
    // Not the bare difference: a state in progress at `before` may have been counted back since.
    let times = StateTimes::between(before, after).proportion(at_ns - before.at_ns);
    let mut at = Snapshot { at_ns, ..*before };
    for (ns, passed) in at.state_ns.iter_mut().zip(times.states()) {
        *ns += passed;
    }
    at
}

#[cfg(test)]
mod tests {
    use agent_common::STATE_COUNT;

    use super::*;

    fn point(at: u64, ns: [u64; STATE_COUNT]) -> Snapshot {
        Snapshot {
            at_ns: at,
            state_ns: ns,
            tid: 7,
            reserved: 0,
        }
    }

    #[test]
    fn between_two_snapshots_the_sum_is_exact() {
        let mut line = ReaderTimeline::default();
        line.add(point(100, [0, 0, 0, 0, 0, 0]));
        line.add(point(200, [33, 0, 0, 67, 0, 0]));
        for at in 100..=200 {
            let here = line.at(at).expect("inside");
            assert_eq!(here.state_ns.iter().sum::<u64>(), at - 100);
        }
        assert!(line.at(99).is_none());
        assert!(line.at(201).is_none());
    }

    #[test]
    fn what_was_counted_back_is_not_distributed() {
        let mut line = ReaderTimeline::default();
        line.add(point(100, [0, 90, 0, 10, 0, 0]));
        line.add(point(200, [70, 40, 0, 90, 0, 0]));
        let here = line.at(150).expect("inside");
        assert_eq!(here.state_ns.iter().sum::<u64>(), 150);
        assert!(here.state_ns[1] >= 40);
    }

    #[test]
    fn it_stays_small_and_retains_the_newest() {
        let mut line = ReaderTimeline::default();
        for i in 0..100_000u64 {
            line.add(point(i * 10, [i * 10, 0, 0, 0, 0, 0]));
        }
        assert!(line.points.len() <= MAX_SNAPSHOTS);
        assert_eq!(line.at(999_985).expect("inside").state_ns[0], 999_985);
        assert_eq!(line.at(5).expect("inside").state_ns[0], 5);
    }

    #[test]
    fn between_two_threads_there_are_no_counters() {
        let mut line = ReaderTimeline::default();
        line.add(point(50, [0; STATE_COUNT]));
        line.add(point(100, [50, 0, 0, 0, 0, 0]));
        let mut other = point(200, [5, 0, 0, 0, 0, 0]);
        other.tid = 8;
        line.add(other);
        assert_eq!(
            line.at(75).map(|here| (here.tid, here.state_ns[0])),
            Some((7, 25))
        );
        assert!(line.at(150).is_none());
        assert_eq!(line.at(200).map(|here| here.tid), Some(8));
    }
}
