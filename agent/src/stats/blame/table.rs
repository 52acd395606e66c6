//! Who is charged with how much of a session's parts.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::activity::{ActivityCounts, HolderSamples};
use crate::{
    domain::{Charge, Culprit, CulpritId, HolderSample, Lock, Message, Part, Stage, Wait},
    stats::sums::Sums,
};

/// Culprits kept apart per session; the rest is other.
const MOST: usize = 64;

/// Culprits shown per part.
const SHOWN: usize = 5;

/// Culprits of a part that have a series of their own in the metrics.
const NAMED: usize = 8;

/// A culprit has one from when it has this share of its part lately, per cent.
const WORTH_A_NAME: f64 = 5.0;

/// What is lately: after so long a charge weighs half.
const HALF_LIFE: Duration = Duration::from_secs(600);

/// A culprit takes the place of another that has so many times less lately.
const OUTWEIGHS: f64 = 4.0;

/// What one culprit of one part is charged with; the rows of a part sum to the part.
#[derive(Clone, Debug)]
pub struct BlameRow {
    /// The part.
    pub part: Part,
    /// Who; `None`: all others, waits too short to be told one by one, and what was not seen.
    pub culprit: Option<Arc<Culprit>>,
    /// Time of the messages' ages, nanoseconds, summed over messages like the part itself.
    pub ns: i128,
    /// How much of that while the messages were held back at the sender; the rows of a part sum to
    /// what that stage has of it.
    pub held_back_ns: i128,
    /// The ingest thread's own waits, each once however many messages waited with it.
    pub waits: WaitStats,
    /// Lock-wait: what the holder was doing meanwhile.
    pub samples: HolderSamples,
}

impl BlameRow {
    /// Whether it names somebody.
    #[must_use]
    pub fn is_attributed(&self) -> bool {
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
pub struct WaitStats {
    /// How many.
    pub count: u64,
    /// How long altogether, nanoseconds.
    pub ns: u64,
    /// The longest, nanoseconds.
    pub longest_ns: u64,
    /// Lock-wait: those that outlasted a second timed wait: the holder did not let go when asked to
    /// (CPython: a call that does not yield). The others were hand-offs.
    pub uninterruptible: u64,
    /// How long these, nanoseconds.
    pub uninterruptible_ns: u64,
}

/// A lock wait that a timer interrupted this often or more outlasted a request to let go: CPython's
/// waiter asks after its first timed wait (Python/ceval_gil.h `take_gil`).
const HELD: u32 = 2;

impl WaitStats {
    /// The longest part of the waiting is for long holds, not for hand-offs.
    #[must_use]
    pub const fn mostly_uninterruptible(&self) -> bool {
        self.uninterruptible_ns * 2 > self.ns
    }

    fn add(&mut self, wait: &Wait) {
        self.count += 1;
        self.ns += wait.ns;
        self.longest_ns = self.longest_ns.max(wait.ns);
        if wait.part == Part::LockWait && wait.timeouts >= HELD {
            self.uninterruptible += 1;
            self.uninterruptible_ns += wait.ns;
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.ns += other.ns;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.uninterruptible += other.uninterruptible;
        self.uninterruptible_ns += other.uninterruptible_ns;
    }
}

#[derive(Clone, Debug, Default)]
struct Row {
    ns: u64,
    held_back_ns: u64,
    /// What was charged lately, nanoseconds, older charges weighing less.
    recent: f64,
    /// What was charged since it has a series of its own; `None` without one.
    named_ns: Option<u64>,
    waits: WaitStats,
    doings: ActivityCounts,
}

/// One session's charges.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlameTable {
    rows: HashMap<(Part, CulpritId), Row>,
    /// The parts lately, nanoseconds, by `Part as usize`.
    recent: [f64; Part::ALL.len()],
    /// What culprits were charged with that had a series and have none any more, nanoseconds.
    retired: [u64; Part::ALL.len()],
}

impl BlameTable {
    /// The row of a culprit, if there is one or room for one.
    fn row(&mut self, part: Part, culprit: CulpritId) -> Option<&mut Row> {
        let full = self.rows.len() >= MOST;
        if culprit == CulpritId::OTHER || full && !self.rows.contains_key(&(part, culprit)) {
            return None;
        }
        Some(self.rows.entry((part, culprit)).or_default())
    }

    /// Makes room for a culprit where there is none: the one with the least lately counts as other
    /// from now on.
    fn make_room(&mut self, part: Part, culprit: CulpritId) {
        if self.rows.len() < MOST || self.rows.contains_key(&(part, culprit)) {
            return;
        }
        let unnamed = self.rows.iter().filter(|(_, row)| row.named_ns.is_none());
        let least = unnamed.min_by(|a, b| a.1.recent.total_cmp(&b.1.recent));
        if let Some((&gone, _)) = least {
            self.rows.remove(&gone);
        }
    }

    /// Charges a fresh message.
    pub(crate) fn charge(&mut self, message: &Message) {
        let matrix = message.split.matrix();
        for part in Part::ALL {
            self.recent[part as usize] += matrix.part(part).max(0) as f64;
        }
        for charge in &message.charges {
            if charge.culprit == CulpritId::OTHER {
                continue;
            }
            self.make_room(charge.part, charge.culprit);
            let of_part = self.recent[charge.part as usize];
            let Some(row) = self.row(charge.part, charge.culprit) else {
                continue;
            };
            row.ns += charge.ns;
            row.held_back_ns += charge.held_back_ns;
            row.recent += charge.ns as f64;
            if let Some(named) = &mut row.named_ns {
                *named += charge.ns;
            } else if row.recent * 100.0 >= of_part * WORTH_A_NAME {
                let recent = row.recent;
                self.name(charge, recent);
            }
        }
    }

    /// Gives a culprit a series, in place of another that is hardly charged any more if there are
    /// many.
    fn name(&mut self, charge: &Charge, recent: f64) {
        if self.named(charge.part).count() >= NAMED {
            let named = self
                .rows
                .iter_mut()
                .filter(|((part, _), row)| *part == charge.part && row.named_ns.is_some());
            let Some((_, least)) = named.min_by(|a, b| a.1.recent.total_cmp(&b.1.recent)) else {
                return;
            };
            if least.recent * OUTWEIGHS > recent {
                return;
            }
            self.retired[charge.part as usize] += least.named_ns.take().unwrap_or(0);
        }
        if let Some(row) = self.row(charge.part, charge.culprit) {
            row.named_ns = Some(charge.ns);
        }
    }

    /// So much time has passed.
    pub(crate) fn age(&mut self, passed: Duration) {
        let left = 0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64());
        for recent in &mut self.recent {
            *recent *= left;
        }
        for row in self.rows.values_mut() {
            row.recent *= left;
        }
    }

    /// What culprits of a part were charged with whose series have ended, nanoseconds: never falls.
    pub(crate) const fn retired(&self, part: Part) -> u64 {
        self.retired[part as usize]
    }

    /// Whether somebody is in it by this number.
    pub(crate) fn mentions(&self, culprit: CulpritId) -> bool {
        self.rows.keys().any(|&(_, id)| id == culprit)
    }

    /// The culprits of a part that have a series of their own and what each was charged with since:
    /// neither falls nor moves from one to another.
    pub(crate) fn named(&self, part: Part) -> impl Iterator<Item = (CulpritId, u64)> + '_ {
        let rows = self.rows.iter().filter(move |(key, _)| key.0 == part);
        rows.filter_map(|(key, row)| Some((key.1, row.named_ns?)))
    }

    /// The ingest thread has waited.
    pub(crate) fn waited(&mut self, wait: &Wait) {
        if let Some(row) = self.row(wait.part, wait.culprit) {
            row.waits.add(wait);
        }
    }

    /// The holder of a lock was seen while the ingest thread waited for it.
    pub(crate) fn sampled(&mut self, sample: &HolderSample) {
        if let Some(row) = self.row(Part::LockWait, sample.culprit) {
            row.doings.add(&sample.activity, 1);
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for part in Part::ALL {
            self.recent[part as usize] += other.recent[part as usize];
            self.retired[part as usize] += other.retired[part as usize];
        }
        for (&(part, culprit), theirs) in &other.rows {
            let room = self.named(part).count() < NAMED;
            if let Some(row) = self.row(part, culprit) {
                if let Some(named) = theirs.named_ns
                    && (room || row.named_ns.is_some())
                {
                    row.named_ns = Some(row.named_ns.unwrap_or(0) + named);
                }
                row.recent += theirs.recent;
                row.ns += theirs.ns;
                row.held_back_ns += theirs.held_back_ns;
                row.doings.absorb(&theirs.doings);
                row.waits.absorb(&theirs.waits);
            }
        }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self {
            rows: std::mem::take(&mut self.rows),
            ..Self::default()
        };
        self.rows.clear();
    }

    /// The rows, by part and, within it, the most charged first; what they do not make up of a part
    /// is its last row.
    pub(crate) fn figures(&self, sums: &Sums, names: &Names) -> Vec<BlameRow> {
        let mut figures = Vec::new();
        for part in Part::ALL {
            let total = sums.part(part);
            if total <= 0 || part == Part::Network || part == Part::OnCpu || part == Part::Unknown {
                continue;
            }
            let mut rows: Vec<_> = self.rows.iter().filter(|(key, _)| key.0 == part).collect();
            rows.sort_unstable_by_key(|(key, row)| (std::cmp::Reverse(row.ns), key.1));
            let mut rest = total;
            let mut held_back_rest = sums.get(Stage::HeldBack, part);
            for (&(_, id), row) in rows.into_iter().take(SHOWN) {
                let ns = i128::from(row.ns);
                let Some(culprit) = names.get(id).filter(|_| ns > 0 || row.waits.count > 0) else {
                    continue;
                };
                rest -= ns;
                held_back_rest -= i128::from(row.held_back_ns);
                figures.push(BlameRow {
                    part,
                    culprit: Some(Arc::clone(culprit)),
                    ns,
                    held_back_ns: row.held_back_ns.into(),
                    waits: row.waits,
                    samples: row.doings.samples(),
                });
            }
            if rest > 0 {
                figures.push(BlameRow {
                    part,
                    culprit: None,
                    ns: rest,
                    held_back_ns: held_back_rest,
                    waits: WaitStats::default(),
                    samples: HolderSamples::default(),
                });
            }
        }
        figures
    }
}

/// What the ids stand for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<CulpritId, Arc<Culprit>>,
    /// Nobody is charged under these any more.
    gone: HashSet<CulpritId>,
}

impl Names {
    pub(crate) fn learn(&mut self, id: CulpritId, culprit: &Arc<Culprit>) {
        self.known.insert(id, Arc::clone(culprit));
    }

    pub(crate) fn get(&self, id: CulpritId) -> Option<&Arc<Culprit>> {
        self.known.get(&id)
    }

    /// Nobody will be charged under this any more.
    pub(crate) fn retire(&mut self, id: CulpritId) {
        self.gone.insert(id);
    }

    /// Forgets those that nobody is charged under any more and that are not mentioned either.
    pub(crate) fn forget(&mut self, is_mentioned: impl Fn(CulpritId) -> bool) {
        let known = &mut self.known;
        self.gone.retain(|&id| {
            let keep = is_mentioned(id);
            if !keep {
                known.remove(&id);
            }
            keep
        });
    }

    /// How many are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Matrix,
        fixtures::{message, session},
    };

    /// A message that waited so long for locks.
    fn waited(lock: i64, charges: &[Charge]) -> Message {
        let cells = [(Stage::InApp, Part::LockWait, lock)];
        let mut message = message(&session(0), 1, &cells);
        message.charges = charges.to_vec();
        message
    }

    fn sums(lock: i64) -> Sums {
        let mut matrix = Matrix::default();
        let held_back = lock / 2;
        matrix.add(Stage::HeldBack, Part::LockWait, held_back);
        matrix.add(Stage::InApp, Part::LockWait, lock - held_back);
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
            held_back_ns: ns / 3,
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
                table.charge(&waited(7_000, &[charge(id, 1 + u64::from(id))]));
            }
            let rows = table.figures(&sums(1_000_000), &names());
            assert_eq!(rows.iter().map(|row| row.ns).sum::<i128>(), 1_000_000);
            let held_back: i128 = rows.iter().map(|row| row.held_back_ns).sum();
            assert_eq!(held_back, 500_000);
            assert!(rows.iter().all(|row| row.held_back_ns <= row.ns));
            assert!(rows.len() <= SHOWN + 1);
        }
    }

    #[test]
    fn series_are_few_and_never_fall() {
        let mut table = BlameTable::default();
        let named = |table: &BlameTable| {
            let mut named: Vec<_> = table.named(Part::LockWait).collect();
            named.sort_unstable();
            named
        };
        table.charge(&waited(1_000, &[charge(1, 40)]));
        assert_eq!(named(&table), []);
        table.charge(&waited(100, &[charge(1, 20)]));
        assert_eq!(named(&table), [(CulpritId(1), 20)]);
        // Also when others have more by now.
        table.charge(&waited(1_000_000, &[charge(1, 20)]));
        assert_eq!(named(&table), [(CulpritId(1), 40)]);
        table.age(Duration::from_secs(36_000));
        for id in 2..9 {
            table.charge(&waited(100, &[charge(id, 100)]));
        }
        assert_eq!(named(&table).len(), NAMED);
        let mut heir = BlameTable::default();
        heir.charge(&waited(100, &[charge(39, 100)]));
        heir.absorb(&table);
        assert_eq!(named(&heir).len(), NAMED);
        assert!(named(&heir).contains(&(CulpritId(39), 100)));
    }

    #[test]
    fn one_who_is_charged_now_takes_the_place_of_one_who_was_once() {
        let mut table = BlameTable::default();
        let named = |table: &BlameTable| {
            let mut named: Vec<_> = table.named(Part::LockWait).map(|named| named.0.0).collect();
            named.sort_unstable();
            named
        };
        for id in 1..=8 {
            table.charge(&waited(100, &[charge(id, 100 + u64::from(id))]));
        }
        // Not at once: nobody of them is outweighed.
        table.charge(&waited(100, &[charge(9, 100)]));
        assert_eq!(named(&table), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(table.retired(Part::LockWait), 0);
        table.age(HALF_LIFE * 10);
        table.charge(&waited(100, &[charge(9, 70)]));
        assert_eq!(named(&table), [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(table.retired(Part::LockWait), 101);
        // The rows of all stay as they are.
        let of = |id| table.rows[&(Part::LockWait, CulpritId(id))].ns;
        assert_eq!((of(1), of(9)), (101, 170));
    }

    #[test]
    fn there_is_room_for_whoever_comes_late() {
        let mut table = BlameTable::default();
        for id in 1..1_000 {
            table.charge(&waited(1_000_000, &[charge(id, 10)]));
        }
        assert_eq!(table.rows.len(), MOST);
        table.charge(&waited(1_000_000, &[charge(1_000, 900_000)]));
        let rows = table.figures(&sums(1_000_000_000), &{
            let mut names = names();
            let cgroup = "/late".to_owned();
            names.learn(CulpritId(1_000), &Arc::new(Culprit::Quota { cgroup }));
            names
        });
        assert_eq!(rows[0].ns, 900_000);
    }

    #[test]
    fn names_nobody_mentions_are_forgotten() {
        let mut names = names();
        let mut table = BlameTable::default();
        table.charge(&waited(100, &[charge(5, 100)]));
        names.retire(CulpritId(5));
        names.retire(CulpritId(6));
        names.forget(|id| table.mentions(id));
        assert!(names.get(CulpritId(5)).is_some() && names.get(CulpritId(6)).is_none());
        assert_eq!(names.len(), 198);
        names.forget(|_| false);
        assert_eq!(names.len(), 197);
    }

    #[test]
    fn the_most_charged_comes_first_and_holds_are_told_from_hand_offs() {
        let mut table = BlameTable::default();
        table.charge(&waited(40, &[charge(1, 10), charge(2, 30)]));
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
        assert_eq!((rows[0].waits.count, rows[0].waits.uninterruptible), (2, 1));
    }
}
