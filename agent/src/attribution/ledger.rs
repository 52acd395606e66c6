//! The waits of one thread in one state over time, so that any stretch can be charged.

use std::collections::VecDeque;

use crate::domain::CulpritId;

/// Waits held. A message older than these is charged with what is left of them.
const MOST: usize = 1 << 16;

/// Waits between two sums.
const BLOCK: usize = 64;

/// Culprits summed apart from each other.
const CULPRITS: usize = 64;

/// What is charged to one culprit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Who.
    pub culprit: CulpritId,
    /// How long, nanoseconds.
    pub ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    from: u64,
    to: u64,
    ns: u64,
    /// Where in the sums.
    slot: usize,
}

impl Entry {
    /// Its share of `from..to`.
    fn within(&self, from: u64, to: u64) -> u64 {
        let start = self.from.max(from);
        let end = self.to.min(to);
        if start >= end {
            return 0;
        }
        let length = self.to - self.from;
        if end - start == length {
            return self.ns;
        }
        (u128::from(self.ns) * u128::from(end - start) / u128::from(length)) as u64
    }
}

/// The waits of one thread in one state, in the order in which they ended.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    /// Entries ever given up at the front; a multiple of [`BLOCK`].
    gone: usize,
    /// Sums over all entries before every [`BLOCK`]th one that is held.
    blocks: VecDeque<Vec<u64>>,
    /// Sums over all.
    sums: Vec<u64>,
    slots: Vec<CulpritId>,
}

impl Ledger {
    /// A wait is over; of its time `ns` are `culprit`'s.
    pub fn add(&mut self, culprit: CulpritId, from: u64, to: u64, ns: u64) {
        if to <= from || ns == 0 {
            return;
        }
        let Some(slot) = self.slot(culprit) else {
            return;
        };
        if (self.gone + self.entries.len()).is_multiple_of(BLOCK) {
            self.blocks.push_back(self.sums.clone());
        }
        self.sums[slot] += ns;
        self.entries.push_back(Entry { from, to, ns, slot });
        if self.entries.len() > MOST {
            self.entries.drain(..BLOCK);
            self.blocks.pop_front();
            self.gone += BLOCK;
        }
    }

    /// Forgets waits that ended before `before`, some of them at least.
    pub fn forget(&mut self, before: u64) {
        let old = self.entries.partition_point(|entry| entry.to < before);
        if old == self.entries.len() {
            *self = Self::default();
            return;
        }
        // A block that is not full yet has sums of its own to come.
        let blocks = (self.gone + old) / BLOCK - self.gone / BLOCK;
        self.entries.drain(..blocks * BLOCK);
        self.blocks.drain(..blocks);
        self.gone += blocks * BLOCK;
        self.entries.shrink_to(2 * self.entries.len());
    }

    /// Whether there is nothing to charge.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Beyond [`CULPRITS`] nobody new is charged: that is the other's. One of whom no wait is held
    /// any more makes room.
    fn slot(&mut self, culprit: CulpritId) -> Option<usize> {
        let found = self.slots.iter().position(|s| *s == culprit);
        if found.is_some() {
            return found;
        }
        if self.slots.len() < CULPRITS {
            self.slots.push(culprit);
            self.sums.push(0);
            return Some(self.slots.len() - 1);
        }
        // Sums before the first block held that are those of now: nothing was added since.
        let first = self.blocks.front()?;
        let slot = (0..CULPRITS).find(|&slot| first.get(slot) == Some(&self.sums[slot]))?;
        self.slots[slot] = culprit;
        Some(slot)
    }

    /// Who is charged with what of `from..to`.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> Vec<Due> {
        let mut sums = vec![0u64; self.slots.len()];
        if from < to {
            self.sum(from, to, &mut sums);
        }
        self.slots
            .iter()
            .zip(sums)
            .filter(|(_, ns)| *ns > 0)
            .map(|(&culprit, ns)| Due { culprit, ns })
            .collect()
    }

    /// Waits of one state end in order and do not overlap; the shares of one run-queue wait share
    /// its end. So the entries that can reach into the stretch are those that end after its
    /// beginning, up to the first that begins after its end and all that ended with it.
    fn sum(&self, from: u64, to: u64, sums: &mut [u64]) {
        let first = self.entries.partition_point(|e| e.to <= from);
        let last = self.entries.partition_point(|e| e.to <= to);
        // Whole blocks in between by their sums, the ends one by one.
        let head = first
            .next_multiple_of(BLOCK)
            .saturating_add(BLOCK)
            .min(last);
        let tail = (last / BLOCK * BLOCK).max(head);
        for entry in self.entries.range(first..head) {
            sums[entry.slot] += entry.within(from, to);
        }
        if tail > head && head.is_multiple_of(BLOCK) {
            // Of a last block that is full, the sums are those of all.
            let sums_at = |at: usize| self.blocks.get(at / BLOCK).unwrap_or(&self.sums);
            let (before, after) = (sums_at(head), sums_at(tail));
            for (slot, sum) in sums.iter_mut().enumerate() {
                let at = |block: &Vec<u64>| block.get(slot).copied().unwrap_or(0);
                *sum += at(after) - at(before);
            }
        }
        for entry in self.entries.range(tail..last) {
            sums[entry.slot] += entry.within(from, to);
        }
        // Those under way at the end.
        for entry in self.entries.range(last..).take(BLOCK) {
            if entry.from >= to {
                break;
            }
            sums[entry.slot] += entry.within(from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for i in 0..1_000u64 {
            ledger.add(CulpritId(1 + (i % 5) as u32), i * 100, i * 100 + 80, 80);
        }
        ledger
    }

    /// The slow way.
    fn slowly(ledger: &Ledger, from: u64, to: u64) -> u64 {
        ledger.entries.iter().map(|e| e.within(from, to)).sum()
    }

    #[test]
    fn a_stretch_has_what_fell_into_it() {
        let ledger = ledger();
        for (from, to) in [
            (0, 100_000),
            (50, 60),
            (90, 95),
            (130, 12_345),
            (6_400, 12_800),
            (6_350, 99_999),
            (40_000, 40_010),
            (99_950, 200_000),
        ] {
            let sum: u64 = ledger.between(from, to).iter().map(|due| due.ns).sum();
            assert_eq!(sum, slowly(&ledger, from, to), "{from}..{to}");
        }
        assert_eq!(ledger.between(100_000, 200_000), []);
        assert_eq!(ledger.between(7, 7), []);
    }

    #[test]
    fn culprits_are_told_apart() {
        let mut ledger = Ledger::default();
        ledger.add(CulpritId(4), 100, 200, 60);
        ledger.add(CulpritId(5), 300, 400, 100);
        ledger.add(CulpritId(4), 400, 500, 100);
        let due = ledger.between(150, 450);
        let of = |id| {
            let found = due.iter().find(|d| d.culprit == CulpritId(id));
            found.map(|d| d.ns)
        };
        assert_eq!(of(4), Some(30 + 50));
        assert_eq!(of(5), Some(100));
    }

    #[test]
    fn it_stays_small() {
        let mut ledger = Ledger::default();
        for i in 0..(3 * MOST as u64) {
            ledger.add(CulpritId(1), i * 10, i * 10 + 5, 5);
        }
        assert!(ledger.entries.len() <= MOST);
        assert!(ledger.blocks.len() <= MOST / BLOCK + 1);
        let end = 3 * MOST as u64 * 10;
        let sum: u64 = ledger
            .between(end - 100_000, end)
            .iter()
            .map(|d| d.ns)
            .sum();
        assert_eq!(sum, 50_000);
        assert_eq!(ledger.between(end - 100_000, end).len(), 1);
    }

    #[test]
    fn what_is_old_is_forgotten_and_the_rest_is_not() {
        let mut ledger = Ledger::default();
        for i in 0..1000u64 {
            ledger.add(CulpritId(i as u32 % 3), i * 10, i * 10 + 5, 5);
        }
        let whole = ledger.between(7_000, 10_000);
        ledger.forget(6_990);
        assert!(ledger.entries.len() < 300 + 2 * BLOCK);
        assert_eq!(ledger.between(7_000, 10_000), whole);
        ledger.add(CulpritId(1), 10_000, 10_005, 5);
        assert_eq!(slowly(&ledger, 7_000, 10_010), 301 * 5);
        ledger.forget(20_000);
        assert!(ledger.is_empty());
    }

    #[test]
    fn a_culprit_of_long_ago_makes_room() {
        let mut ledger = Ledger::default();
        let most = CULPRITS as u64;
        for i in 0..most {
            ledger.add(CulpritId(i as u32), i * 10, i * 10 + 10, 10);
        }
        for i in most..most + 200 {
            ledger.add(CulpritId(0), i * 10, i * 10 + 10, 10);
        }
        ledger.forget(most * 10 + 100);
        let (from, to) = ((most + 200) * 10, (most + 300) * 10);
        ledger.add(CulpritId(7_000), from, to, 1_000);
        let due = ledger.between(from, to);
        let new = Due {
            culprit: CulpritId(7_000),
            ns: 1_000,
        };
        assert_eq!(due, [new]);
        assert_eq!(ledger.slots.len(), CULPRITS);
    }

    #[test]
    fn there_is_an_end_to_culprits() {
        let mut ledger = Ledger::default();
        for i in 0..500u64 {
            ledger.add(CulpritId(i as u32), i * 10, i * 10 + 10, 10);
        }
        assert_eq!(ledger.between(0, 10_000).len(), CULPRITS);
    }
}
