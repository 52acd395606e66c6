//! What a thread did before it became a socket's reader.
//!
//! An arrival is stamped with what the reader of that time was doing. When another thread then
//! receives the bytes, they have waited for that one: what it did in the meantime is told from its
//! last changes of state, handed over with its first receive call on the socket.

use agent_common::{
    HISTORY_CHANGES, ReaderHistory as Record, STATE_COUNT, Snapshot, StateChange, ThreadState,
};

use super::state_times::Waiting;

/// The last changes of state of one thread.
#[derive(Clone, Debug)]
pub struct Past {
    tid: u32,
    /// Oldest first; of the first only the end counts.
    changes: Vec<StateChange>,
}

impl Past {
    /// As the probes hand it over.
    #[must_use]
    pub fn new(record: &Record) -> Self {
        let next = record.next as usize % HISTORY_CHANGES;
        let (newer, older) = record.changes.split_at(next);
        let written = older.iter().chain(newer).filter(|change| change.at_ns != 0);
        Self {
            tid: record.tid,
            changes: written.copied().collect(),
        }
    }

    /// What the thread did from `from` to `to`, its own snapshot in the receive call. What lies
    /// before the changes known is unknown.
    #[must_use]
    pub fn between(&self, from: u64, to: &Snapshot) -> Waiting {
        let (Some(first), Some(last)) = (self.changes.first(), self.changes.last()) else {
            return Waiting::unknown(to.at_ns.saturating_sub(from));
        };
        if to.tid != self.tid || to.at_ns < last.at_ns {
            return Waiting::unknown(to.at_ns.saturating_sub(from));
        }
        let mut did = Waiting::unknown(first.at_ns.min(to.at_ns).saturating_sub(from));
        for pair in self.changes.windows(2) {
            did.add(&stretch(pair[0].at_ns, &pair[1], from));
        }
        // It runs: it has just received.
        let running = StateChange::new(to.at_ns, ThreadState::OnCpu as u32, 0);
        did.add(&stretch(last.at_ns, &running, from));
        did
    }
}

/// The part after `from` of the stretch that began at `began` and ended with `change`.
fn stretch(began: u64, change: &StateChange, from: u64) -> Waiting {
    let length = change.at_ns.saturating_sub(began);
    let cut = from.saturating_sub(began);
    if cut >= length {
        return Waiting::default();
    }
    let mut ns = [0; STATE_COUNT];
    if change.state() == ThreadState::RunQueue as u32 {
        // Where in the stretch it was throttled is not known: of each part, that which the cut
        // cannot have held.
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
    let known: u64 = ns.iter().sum();
    let mut did = Waiting::unknown(length - cut - known);
    did.add(&Waiting::known(ns));
    did
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Part;

    fn past(changes: &[StateChange], next: u32) -> Past {
        let mut record = Record {
            tid: 7,
            next,
            ..Record::default()
        };
        let first = next as usize - changes.len();
        for (i, change) in changes.iter().enumerate() {
            record.changes[(first + i) % HISTORY_CHANGES] = *change;
        }
        Past::new(&record)
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
    fn usual() -> Past {
        let changes = [
            StateChange::new(100, CPU, 0),
            StateChange::new(200, CPU, 0),
            StateChange::new(500, LOCK, 0),
            StateChange::new(550, QUEUE, 0),
        ];
        past(&changes, 4)
    }

    #[test]
    fn every_instant_since_the_first_change_is_told_exactly() {
        for from in 100..=600 {
            let did = usual().between(from, &received(600));
            assert_eq!(did.total(), 600 - from);
            assert_eq!(did.part(Part::Unknown), 0, "{from}");
        }
        let did = usual().between(150, &received(600));
        assert_eq!(did.part(Part::OnCpu), 50 + 50);
        assert_eq!(did.part(Part::LockWait), 300);
        assert_eq!(did.part(Part::RunQueue), 50);
        let did = usual().between(520, &received(600));
        assert_eq!((did.part(Part::RunQueue), did.part(Part::OnCpu)), (30, 50));
    }

    #[test]
    fn what_was_before_the_first_change_is_unknown() {
        let did = usual().between(30, &received(600));
        assert_eq!((did.part(Part::Unknown), did.total()), (70, 570));
        let none = past(&[], 0).between(30, &received(600));
        assert_eq!(none, Waiting::unknown(570));
    }

    #[test]
    fn a_list_that_went_round_keeps_the_newest() {
        let changes: Vec<_> = (0..HISTORY_CHANGES as u64)
            .map(|i| StateChange::new(1_000 + i * 10, if i % 2 == 0 { CPU } else { LOCK }, 0))
            .collect();
        let past = past(&changes, 100);
        let did = past.between(1_000, &received(1_000 + 15 * 10));
        assert_eq!((did.part(Part::Unknown), did.total()), (0, 150));
        assert_eq!(did.part(Part::LockWait), 80);
    }

    #[test]
    fn of_a_throttled_stretch_only_the_certain_part_is_told() {
        let changes = [
            StateChange::new(100, CPU, 0),
            StateChange::new(200, QUEUE, 60),
        ];
        let past = past(&changes, 2);
        let whole = past.between(100, &received(200));
        assert_eq!(
            (whole.part(Part::Throttle), whole.part(Part::RunQueue)),
            (60, 40)
        );
        let half = past.between(150, &received(200));
        assert_eq!(half.total(), 50);
        assert_eq!(half.part(Part::Throttle), 10);
        assert_eq!(half.part(Part::Unknown), 40);
    }

    #[test]
    fn another_thread_s_past_says_nothing() {
        let mut other = received(600);
        other.tid = 8;
        assert_eq!(usual().between(150, &other), Waiting::unknown(450));
        // Nor one that ends after it.
        assert_eq!(usual().between(150, &received(500)), Waiting::unknown(350));
    }
}
