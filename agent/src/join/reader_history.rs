//! What a thread did before it became a socket's reader.
//!
//! An arrival carries the counters of the reader of that time. When another thread then receives
//! the bytes, they have waited for that one. What it did in the meantime follows from its last
//! changes of state, which the probes hand over with its first receive call on the socket.

use agent_common::{
    HISTORY_CHANGES, ReaderHistory, STATE_COUNT, Snapshot, StateChange, ThreadState,
};

use super::state_times::StateTimes;

/// The last changes of state of one thread.
#[derive(Clone, Debug)]
pub(super) struct StateHistory {
    tid: u32,
    /// When the thread was tracked from, with all its counters at 0.
    began_ns: u64,
    /// Oldest first; only the end of the first state is covered.
    changes: Vec<StateChange>,
}

impl StateHistory {
    /// Reads the ring of changes in a record.
    pub(super) fn new(record: &ReaderHistory) -> Self {
        let next = record.next as usize % HISTORY_CHANGES;
        let (newer, older) = record.changes.split_at(next);
        let written = older.iter().chain(newer).filter(|change| change.at_ns != 0);
        Self {
            tid: record.tid,
            began_ns: record.began_ns,
            changes: written.copied().collect(),
        }
    }

    /// What the thread did from `from_ns` to `to`, its own snapshot in the receive call. The time
    /// before it was tracked is unknown. Of the time between that and the first change retained the
    /// sum is exact, and the split is that of all of this time.
    pub(super) fn between(&self, from_ns: u64, to: &Snapshot) -> StateTimes {
        let (Some(first), Some(last)) = (self.changes.first(), self.changes.last()) else {
            return StateTimes::unknown(to.at_ns.saturating_sub(from_ns));
        };
        if to.tid != self.tid || to.at_ns < last.at_ns {
            return StateTimes::unknown(to.at_ns.saturating_sub(from_ns));
        }
        let mut times = StateTimes::default();
        let before_ns = first.at_ns.min(to.at_ns).saturating_sub(from_ns);
        if before_ns > 0 {
            let tracked_ns = before_ns.min(first.at_ns.saturating_sub(self.began_ns));
            times.add(&StateTimes::unknown(before_ns - tracked_ns));
            times.add(&self.before_first_change(to).proportion(tracked_ns));
        }
        times.add(&self.since_first_change(from_ns, to));
        times
    }

    /// The counters of the thread at an instant before `to`, as far as they are known.
    pub(super) fn counters_at(&self, at_ns: u64, to: &Snapshot) -> Snapshot {
        let since = self.between(at_ns, to).states();
        let mut at = Snapshot { at_ns, ..*to };
        for (ns, since) in at.state_ns.iter_mut().zip(since) {
            // What is unknown is more than the counter has; the difference is right all the same.
            *ns = ns.wrapping_sub(since);
        }
        at
    }

    /// What the thread did from `from_ns` on, no earlier than the first change, to `to`.
    fn since_first_change(&self, from_ns: u64, to: &Snapshot) -> StateTimes {
        let mut times = StateTimes::default();
        for pair in self.changes.windows(2) {
            times.add(&stretch(pair[0].at_ns, &pair[1], from_ns));
        }
        if let Some(last) = self.changes.last() {
            // It runs: the receive call has just returned.
            let running = StateChange::new(to.at_ns, ThreadState::OnCpu as u32, 0);
            times.add(&stretch(last.at_ns, &running, from_ns));
        }
        times
    }

    /// What the thread did from when it was tracked to the first change; unknown where its counters
    /// do not say.
    fn before_first_change(&self, to: &Snapshot) -> StateTimes {
        let first_ns = self.changes.first().map_or(0, |change| change.at_ns);
        let length_ns = first_ns.saturating_sub(self.began_ns);
        let since = self.since_first_change(0, to).states();
        let mut before = [0; STATE_COUNT];
        for (before, (all, since)) in before.iter_mut().zip(to.state_ns.into_iter().zip(since)) {
            *before = all.saturating_sub(since);
        }
        let times = StateTimes::from_states(before);
        if times.total() == length_ns {
            times
        } else {
            StateTimes::unknown(length_ns)
        }
    }
}

/// The part after `from_ns` of the stretch that began at `began_ns` and ended with `change`.
fn stretch(began_ns: u64, change: &StateChange, from_ns: u64) -> StateTimes {
    let length = change.at_ns.saturating_sub(began_ns);
    let cut = from_ns.saturating_sub(began_ns);
    if cut >= length {
        return StateTimes::default();
    }
    let mut ns = [0; STATE_COUNT];
    if change.state() == ThreadState::RunQueue as u32 {
        // When within the stretch it was throttled is unknown: of each state only what the cut
        // cannot have contained is certain.
        let throttled = change.throttled_ns().min(length);
        ns[ThreadState::Throttle as usize] = throttled.saturating_sub(cut);
        ns[ThreadState::RunQueue as usize] = (length - throttled).saturating_sub(cut);
        if throttled == 0 {
            ns[ThreadState::RunQueue as usize] = length - cut;
        } else if throttled == length {
            ns[ThreadState::Throttle as usize] = length - cut;
        }
    } else if let Some(ns) = ns.get_mut(change.state() as usize) {
        *ns = length - cut;
    }
    let certain: u64 = ns.iter().sum();
    let mut times = StateTimes::unknown(length - cut - certain);
    times.add(&StateTimes::from_states(ns));
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Part;

    fn history(changes: &[StateChange], next: u32) -> StateHistory {
        let mut record = ReaderHistory {
            tid: 7,
            next,
            ..ReaderHistory::default()
        };
        let first = next as usize - changes.len();
        for (i, change) in changes.iter().enumerate() {
            record.changes[(first + i) % HISTORY_CHANGES] = *change;
        }
        StateHistory::new(&record)
    }

    fn received(at: u64) -> Snapshot {
        Snapshot {
            at_ns: at,
            tid: 7,
            ..Snapshot::default()
        }
    }

    const CPU: u32 = ThreadState::OnCpu as u32;
    const QUEUE: u32 = ThreadState::RunQueue as u32;
    const LOCK: u32 = ThreadState::LockWait as u32;

    /// Begins at 100; runs to 200, waits for a lock to 500, for a CPU to 550, and runs.
    fn usual() -> StateHistory {
        let changes = [
            StateChange::new(100, CPU, 0),
            StateChange::new(200, CPU, 0),
            StateChange::new(500, LOCK, 0),
            StateChange::new(550, QUEUE, 0),
        ];
        history(&changes, 4)
    }

    #[test]
    fn every_instant_since_the_first_change_is_exact() {
        for from in 100..=600 {
            let times = usual().between(from, &received(600));
            assert_eq!(times.total(), 600 - from);
            assert_eq!(times.part(Part::Unknown), 0, "{from}");
        }
        let times = usual().between(150, &received(600));
        assert_eq!(times.part(Part::OnCpu), 50 + 50);
        assert_eq!(times.part(Part::LockWait), 300);
        assert_eq!(times.part(Part::RunQueue), 50);
        let times = usual().between(520, &received(600));
        assert_eq!(
            (times.part(Part::RunQueue), times.part(Part::OnCpu)),
            (30, 50)
        );
    }

    #[test]
    fn what_was_before_the_first_change_is_unknown() {
        let times = usual().between(30, &received(600));
        assert_eq!((times.part(Part::Unknown), times.total()), (70, 570));
        let none = history(&[], 0).between(30, &received(600));
        assert_eq!(none, StateTimes::unknown(570));
    }

    #[test]
    fn a_ring_that_wrapped_retains_the_newest() {
        let changes: Vec<_> = (0..HISTORY_CHANGES as u64)
            .map(|i| StateChange::new(1_000 + i * 10, if i % 2 == 0 { CPU } else { LOCK }, 0))
            .collect();
        let history = history(&changes, 100);
        let times = history.between(1_000, &received(1_000 + 15 * 10));
        assert_eq!((times.part(Part::Unknown), times.total()), (0, 150));
        assert_eq!(times.part(Part::LockWait), 80);
    }

    #[test]
    fn of_a_throttled_stretch_only_the_certain_part_counts() {
        let changes = [
            StateChange::new(100, CPU, 0),
            StateChange::new(200, QUEUE, 60),
        ];
        let history = history(&changes, 2);
        let whole = history.between(100, &received(200));
        assert_eq!(
            (whole.part(Part::Throttle), whole.part(Part::RunQueue)),
            (60, 40)
        );
        let half = history.between(150, &received(200));
        assert_eq!(half.total(), 50);
        assert_eq!(half.part(Part::Throttle), 10);
        assert_eq!(half.part(Part::Unknown), 40);
    }

    #[test]
    fn another_thread_s_history_is_unknown() {
        let mut other = received(600);
        other.tid = 8;
        assert_eq!(usual().between(150, &other), StateTimes::unknown(450));
        // Nor one that ends after it.
        assert_eq!(
            usual().between(150, &received(500)),
            StateTimes::unknown(350)
        );
    }
}
