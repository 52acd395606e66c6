//! What a thread did between two instants: the difference of two snapshots.

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

/// The index of [`agent_common::ThreadState::Unknown`].
const UNKNOWN: usize = STATE_COUNT - 1;

/// Nanoseconds that a thread spent in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StateTimes {
    ns: [u64; STATE_COUNT],
}

impl StateTimes {
    /// Time that was not observed.
    pub(super) const fn unknown(ns: u64) -> Self {
        let mut all = [0; STATE_COUNT];
        all[UNKNOWN] = ns;
        Self { ns: all }
    }

    /// Nanoseconds in the order of `agent_common::ThreadState`.
    pub(super) const fn from_states(ns: [u64; STATE_COUNT]) -> Self {
        Self { ns }
    }

    /// What the thread did from `from` to `to`. All of it is unknown when the two are not of one
    /// tracked thread, and all is zero when `to` is not after `from`.
    ///
    /// The sum is the time between the two, exactly. `from` may have counted a state in progress
    /// that later turned out otherwise: the split of a runnable stretch is an estimate until the
    /// thread runs (the throttle clock is read from another CPU), and a change of state may not
    /// have been observed. A state that comes out below zero for that is made up from the unknown
    /// time, else from the largest.
    pub(super) fn between(from: &Snapshot, to: &Snapshot) -> Self {
        let passed = to.at_ns.saturating_sub(from.at_ns);
        if !to.continues(from) {
            return Self::unknown(passed);
        }
        Self::balanced(
            std::array::from_fn(|i| to.state_ns[i].wrapping_sub(from.state_ns[i]) as i64),
            passed,
        )
    }

    /// Makes the states non-negative without changing their sum. That must be `passed`; otherwise
    /// all of it is unknown.
    fn balanced(mut states: [i64; STATE_COUNT], passed: u64) -> Self {
        if i128::from(passed) != states.iter().map(|&ns| i128::from(ns)).sum::<i128>() {
            return Self::unknown(passed);
        }
        while let Some(negative) = states.iter().position(|&ns| ns < 0) {
            let debt = std::mem::take(&mut states[negative]);
            let largest = (0..STATE_COUNT).max_by_key(|&i| states[i]).unwrap_or(0);
            let from = if states[UNKNOWN] + debt >= 0 {
                UNKNOWN
            } else {
                largest
            };
            states[from] += debt;
        }
        Self {
            ns: states.map(|ns| ns as u64),
        }
    }

    /// The proportion of it that `part_ns` of its length is, at most all. The rounding goes to the
    /// largest state, so that the sum is `part_ns` exactly.
    pub(super) fn proportion(&self, part_ns: u64) -> Self {
        let whole = self.total();
        if part_ns >= whole {
            return *self;
        }
        let share = |ns: u64| (u128::from(ns) * u128::from(part_ns) / u128::from(whole)) as u64;
        let mut ns = self.ns.map(share);
        // The first one of equals.
        let states = (0..STATE_COUNT).rev();
        let largest = states.max_by_key(|&i| self.ns[i]).unwrap_or(0);
        ns[largest] += part_ns - ns.iter().sum::<u64>();
        Self { ns }
    }

    /// Nanoseconds in the order of `agent_common::ThreadState`.
    pub(super) const fn states(&self) -> [u64; STATE_COUNT] {
        self.ns
    }

    /// The sum over all states, ns.
    pub(super) fn total(&self) -> u64 {
        self.ns.iter().sum()
    }

    /// Adds the times of another stretch.
    pub(super) fn add(&mut self, other: &Self) {
        for (to, from) in self.ns.iter_mut().zip(other.ns) {
            *to += from;
        }
    }

    /// The times since `earlier`, an earlier sum of the same series.
    pub(super) fn minus(&self, earlier: &Self) -> Self {
        Self {
            ns: std::array::from_fn(|i| self.ns[i].saturating_sub(earlier.ns[i])),
        }
    }

    /// Adds the times to a stage of a message's matrix.
    pub(super) fn add_to_matrix(&self, matrix: &mut Matrix, stage: Stage) {
        for (part, ns) in PARTS.into_iter().zip(self.ns) {
            matrix.add(stage, part, ns as i64);
        }
    }

    /// The nanoseconds of one part; 0 for [`Part::Network`].
    pub(super) fn part(&self, part: Part) -> u64 {
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
        let times = StateTimes::between(&from, &to);
        assert_eq!(times.part(Part::OnCpu), 5);
        assert_eq!(times.part(Part::LockWait), 45);
        assert_eq!(times.total(), 50);
    }

    #[test]
    fn two_threads_have_no_difference() {
        let from = snapshot(100, [0; STATE_COUNT]);
        let mut to = snapshot(150, [50, 0, 0, 0, 0, 0]);
        to.tid = 8;
        assert_eq!(StateTimes::between(&from, &to), StateTimes::unknown(50));
        assert_eq!(
            StateTimes::between(&Snapshot::default(), &Snapshot::default()),
            StateTimes::unknown(0)
        );
    }

    #[test]
    fn a_state_that_was_counted_wrongly_is_made_up_from_the_unknown_time() {
        // Counted as waiting for a CPU at 100 and asleep at 200; no switch between was observed.
        let from = snapshot(100, [1_000, 40, 0, 0, 0, 0]);
        let to = snapshot(250, [1_000, 0, 0, 50, 0, 140]);
        let times = StateTimes::between(&from, &to);
        assert_eq!(times.part(Part::Unknown), 100);
        assert_eq!(times.part(Part::LockWait), 50);
        assert_eq!(times.total(), 150);
    }

    #[test]
    fn an_estimate_that_overshot_is_taken_from_the_largest() {
        let from = snapshot(100, [0, 0, 1_000, 0, 0, 0]);
        let to = snapshot(200, [0, 103, 997, 0, 0, 0]);
        let times = StateTimes::between(&from, &to);
        assert_eq!(times.part(Part::Throttle), 0);
        assert_eq!(times.part(Part::RunQueue), 100);
    }

    #[test]
    fn counters_that_do_not_add_up_are_unknown() {
        let from = snapshot(100, [0; STATE_COUNT]);
        let to = snapshot(200, [99, 0, 0, 0, 0, 0]);
        assert_eq!(StateTimes::between(&from, &to), StateTimes::unknown(100));
    }
}
