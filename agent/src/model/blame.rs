//! Who is charged with how much of a session's parts.

use std::{collections::HashMap, sync::Arc};

use super::{
    culprit::{Charge, Culprit, CulpritId, Lock, Wait},
    matrix::Part,
    sums::Sums,
};

/// Culprits kept apart per session; the rest is other.
const MOST: usize = 64;

/// Culprits shown per part.
const SHOWN: usize = 5;

/// What one culprit of one part is charged with; the rows of a part sum to the part.
#[derive(Clone, Debug)]
pub struct BlameRow {
    /// The part.
    pub part: Part,
    /// Who; `None`: all others, waits too short to be told one by one, and what was not seen.
    pub culprit: Option<Arc<Culprit>>,
    /// Time of the messages' ages, nanoseconds, summed over messages like the part itself.
    pub ns: i128,
    /// The ingest thread's own waits, each once however many messages waited with it.
    pub waits: Waits,
}

impl BlameRow {
    /// Whether it names somebody.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match self.culprit.as_deref() {
            None => false,
            Some(Culprit::Holder { thread, .. }) => thread.tid != 0,
            Some(_) => true,
        }
    }

    /// Whether it is about CPython's global interpreter lock.
    #[must_use]
    pub fn is_gil(&self) -> bool {
        let gil = |culprit: &Culprit| {
            matches!(
                culprit,
                Culprit::Holder {
                    lock: Lock::Gil,
                    ..
                }
            )
        };
        self.culprit.as_deref().is_some_and(gil)
    }
}

/// Waits of a thread for one culprit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How many.
    pub count: u64,
    /// How long altogether, nanoseconds.
    pub ns: u64,
    /// The longest, nanoseconds.
    pub longest_ns: u64,
    /// Lock-wait: those that outlasted a second timed wait: the holder did not let go when asked to
    /// (CPython: a call that does not yield). The others were hand-offs.
    pub holds: u64,
    /// How long these, nanoseconds.
    pub holds_ns: u64,
}

/// A lock wait that a timer interrupted this often or more outlasted a request to let go: CPython's
/// waiter asks after its first timed wait (Python/ceval_gil.h `take_gil`).
const HELD: u32 = 2;

impl Waits {
    /// The longest part of the waiting is for long holds, not for hand-offs.
    #[must_use]
    pub const fn mostly_holds(&self) -> bool {
        self.holds_ns * 2 > self.ns
    }

    fn add(&mut self, wait: &Wait) {
        self.count += 1;
        self.ns += wait.ns;
        self.longest_ns = self.longest_ns.max(wait.ns);
        if wait.part == Part::LockWait && wait.timeouts >= HELD {
            self.holds += 1;
            self.holds_ns += wait.ns;
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.ns += other.ns;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.holds += other.holds;
        self.holds_ns += other.holds_ns;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    ns: u64,
    waits: Waits,
}

/// One session's charges.
#[derive(Clone, Debug, Default)]
pub(super) struct BlameTable {
    rows: HashMap<(Part, CulpritId), Row>,
}

impl BlameTable {
    fn row(&mut self, part: Part, culprit: CulpritId) -> Option<&mut Row> {
        let full = self.rows.len() >= MOST;
        if culprit == CulpritId::OTHER || full && !self.rows.contains_key(&(part, culprit)) {
            return None;
        }
        Some(self.rows.entry((part, culprit)).or_default())
    }

    /// A fresh message's charges.
    pub(super) fn charge(&mut self, charges: &[Charge]) {
        for charge in charges {
            if let Some(row) = self.row(charge.part, charge.culprit) {
                row.ns += charge.ns;
            }
        }
    }

    /// The ingest thread has waited.
    pub(super) fn waited(&mut self, wait: &Wait) {
        if let Some(row) = self.row(wait.part, wait.culprit) {
            row.waits.add(wait);
        }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        for (&(part, culprit), theirs) in &other.rows {
            if let Some(row) = self.row(part, culprit) {
                row.ns += theirs.ns;
                row.waits.absorb(&theirs.waits);
            }
        }
    }

    pub(super) fn reset(&mut self) {
        self.rows.clear();
    }

    /// The rows, by part and, within it, the most charged first; what they do not make up of a part is
    /// its last row.
    pub(super) fn figures(&self, sums: &Sums, names: &Names) -> Vec<BlameRow> {
        let mut figures = Vec::new();
        for part in Part::ALL {
            let total = sums.part(part);
            if total <= 0 || part == Part::Network || part == Part::OnCpu || part == Part::Unknown {
                continue;
            }
            let mut rows: Vec<_> = self.rows.iter().filter(|(key, _)| key.0 == part).collect();
            rows.sort_unstable_by_key(|(key, row)| (std::cmp::Reverse(row.ns), key.1));
            let mut rest = total;
            for (&(_, id), row) in rows.into_iter().take(SHOWN) {
                let ns = i128::from(row.ns);
                let Some(culprit) = names.0.get(&id).filter(|_| ns > 0 || row.waits.count > 0)
                else {
                    continue;
                };
                rest -= ns;
                figures.push(BlameRow {
                    part,
                    culprit: Some(Arc::clone(culprit)),
                    ns,
                    waits: row.waits,
                });
            }
            if rest > 0 {
                figures.push(BlameRow {
                    part,
                    culprit: None,
                    ns: rest,
                    waits: Waits::default(),
                });
            }
        }
        figures
    }
}

/// What the ids stand for.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<CulpritId, Arc<Culprit>>);

impl Names {
    pub(super) fn learn(&mut self, id: CulpritId, culprit: &Arc<Culprit>) {
        self.0.insert(id, Arc::clone(culprit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Matrix, Stage};

    fn sums(lock: i64) -> Sums {
        let mut matrix = Matrix::default();
        matrix.add(Stage::InApp, Part::LockWait, lock);
        matrix.add(Stage::InApp, Part::OnCpu, 7);
        let mut sums = Sums::default();
        sums.add(&matrix);
        sums
    }

    fn charge(culprit: u32, ns: u64) -> Charge {
        Charge {
            part: Part::LockWait,
            culprit: CulpritId(culprit),
            ns,
        }
    }

    fn names() -> Names {
        let mut names = Names::default();
        for id in 1..200 {
            let cgroup = format!("/{id}");
            names.learn(CulpritId(id), &Arc::new(Culprit::Quota { cgroup }));
        }
        names
    }

    #[test]
    fn the_rows_of_a_part_sum_to_it() {
        for culprits in [0, 1, 3, 60, 150] {
            let mut table = BlameTable::default();
            for id in 0..=culprits {
                table.charge(&[charge(id, 1 + u64::from(id))]);
            }
            let rows = table.figures(&sums(1_000_000), &names());
            assert_eq!(rows.iter().map(|row| row.ns).sum::<i128>(), 1_000_000);
            assert!(rows.len() <= SHOWN + 1);
        }
    }

    #[test]
    fn the_most_charged_comes_first_and_holds_are_told_from_hand_offs() {
        let mut table = BlameTable::default();
        table.charge(&[charge(1, 10), charge(2, 30)]);
        let mut wait = Wait {
            tid: 1,
            part: Part::LockWait,
            culprit: CulpritId(2),
            from_ns: 0,
            to_ns: 20,
            ns: 20,
            timeouts: 1,
        };
        table.waited(&wait);
        wait.timeouts = 2;
        table.waited(&wait);
        let rows = table.figures(&sums(40), &names());
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].ns, 30);
        assert_eq!((rows[0].waits.count, rows[0].waits.holds), (2, 1));
    }
}
