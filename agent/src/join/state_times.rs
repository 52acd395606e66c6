//! What a thread was doing between two instants: the difference of two snapshots.

use agent_common::{STATE_COUNT, Snapshot};

use crate::domain::{Matrix, Part, Stage};

/// The parts in the order of `agent_common::ThreadState`.
const PARTS: [Part; STATE_COUNT] = [
    Part::OnCpu,
    Part::RunQueue,
    Part::Throttle,
    Part::LockWait,
    Part::Blocked,
    Part::Unknown,
];

/// [`agent_common::ThreadState::Unknown`].
const UNSEEN: usize = STATE_COUNT - 1;

/// Nanoseconds per thread state. Never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    ns: [u64; STATE_COUNT],
}

impl Waiting {
    /// Time of which nothing is known.
    #[must_use]
    pub const fn unknown(ns: u64) -> Self {
        let mut all = [0; STATE_COUNT];
        all[UNSEEN] = ns;
        Self { ns: all }
    }

    /// Nanoseconds per thread state.
    #[must_use]
    pub(super) const fn known(ns: [u64; STATE_COUNT]) -> Self {
        Self { ns }
    }

    /// What the thread did from `from` to `to`. All of it is unknown when the two are not of one
    /// known thread; nothing when `to` is not after `from`.
    ///
    /// The sum is the time between the two, exactly. `from` can have told of a state in progress
    /// what later turned out otherwise: the split of a runnable stretch is an estimate until the
    /// thread runs (the throttle clock is read from another CPU), and a change of state may not
    /// have been seen. A part that comes out below zero for that is taken from the time that was
    /// not seen, else from the largest.
    #[must_use]
    pub fn between(from: &Snapshot, to: &Snapshot) -> Self {
        let passed = to.at_ns.saturating_sub(from.at_ns);
        if !to.continues(from) {
            return Self::unknown(passed);
        }
        Self::settle(
            std::array::from_fn(|i| to.state_ns[i] as i64 - from.state_ns[i] as i64),
            passed,
        )
    }

    /// Makes `parts` non-negative, keeping their sum, which must be `passed`: else it is unknown.
    fn settle(mut parts: [i64; STATE_COUNT], passed: u64) -> Self {
        if i128::from(passed) != parts.iter().map(|&ns| i128::from(ns)).sum::<i128>() {
            return Self::unknown(passed);
        }
        while let Some(low) = parts.iter().position(|&ns| ns < 0) {
            let debt = std::mem::take(&mut parts[low]);
            let most = (0..STATE_COUNT).max_by_key(|&i| parts[i]).unwrap_or(0);
            let from = if parts[UNSEEN] + debt >= 0 {
                UNSEEN
            } else {
                most
            };
            parts[from] += debt;
        }
        Self {
            ns: parts.map(|ns| ns as u64),
        }
    }

    /// Nanoseconds in the order of `agent_common::ThreadState`.
    pub(super) const fn states(&self) -> [u64; STATE_COUNT] {
        self.ns
    }

    /// The sum of all parts.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ns.iter().sum()
    }

    /// Adds another stretch.
    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.ns.iter_mut().zip(other.ns) {
            *to += from;
        }
    }

    /// What is left without `earlier`, an earlier sum of the same series.
    #[must_use]
    pub fn without(&self, earlier: &Self) -> Self {
        Self {
            ns: std::array::from_fn(|i| self.ns[i].saturating_sub(earlier.ns[i])),
        }
    }

    /// Adds it to a stage of a message's matrix.
    pub fn charge(&self, matrix: &mut Matrix, stage: Stage) {
        for (part, ns) in PARTS.into_iter().zip(self.ns) {
            matrix.add(stage, part, ns as i64);
        }
    }

    /// The nanoseconds of one part; 0 for [`Part::Network`].
    #[must_use]
    pub fn part(&self, part: Part) -> u64 {
        PARTS
            .iter()
            .position(|&p| p == part)
            .map_or(0, |i| self.ns[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(at: u64, ns: [u64; STATE_COUNT]) -> Snapshot {
        Snapshot {
            at_ns: at,
            state_ns: ns,
            tid: 7,
            reserved: 0,
        }
    }

    #[test]
    fn a_difference_is_exact() {
        let from = snapshot(100, [10, 20, 30, 40, 0, 0]);
        let to = snapshot(150, [15, 20, 30, 85, 0, 0]);
        let waited = Waiting::between(&from, &to);
        assert_eq!(waited.part(Part::OnCpu), 5);
        assert_eq!(waited.part(Part::LockWait), 45);
        assert_eq!(waited.total(), 50);
    }

    #[test]
    fn two_threads_have_no_difference() {
        let from = snapshot(100, [0; STATE_COUNT]);
        let mut to = snapshot(150, [50, 0, 0, 0, 0, 0]);
        to.tid = 8;
        assert_eq!(Waiting::between(&from, &to), Waiting::unknown(50));
        assert_eq!(
            Waiting::between(&Snapshot::default(), &Snapshot::default()),
            Waiting::unknown(0)
        );
    }

    #[test]
    fn what_a_state_was_wrongly_told_is_taken_from_the_time_unseen() {
        // Taken for waiting for a CPU at 100, found asleep at 200, its switches in between unseen.
        let from = snapshot(100, [1_000, 40, 0, 0, 0, 0]);
        let to = snapshot(250, [1_000, 0, 0, 50, 0, 140]);
        let waited = Waiting::between(&from, &to);
        assert_eq!(waited.part(Part::Unknown), 100);
        assert_eq!(waited.part(Part::LockWait), 50);
        assert_eq!(waited.total(), 150);
    }

    #[test]
    fn an_estimate_that_overshot_is_taken_from_the_largest() {
        let from = snapshot(100, [0, 0, 1_000, 0, 0, 0]);
        let to = snapshot(200, [0, 103, 997, 0, 0, 0]);
        let waited = Waiting::between(&from, &to);
        assert_eq!(waited.part(Part::Throttle), 0);
        assert_eq!(waited.part(Part::RunQueue), 100);
    }

    #[test]
    fn counters_that_do_not_add_up_are_unknown() {
        let from = snapshot(100, [0; STATE_COUNT]);
        let to = snapshot(200, [99, 0, 0, 0, 0, 0]);
        assert_eq!(Waiting::between(&from, &to), Waiting::unknown(100));
    }
}
