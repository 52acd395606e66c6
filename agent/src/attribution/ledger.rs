//! The waits of one thread in one part over time, summed so that any stretch can be charged.

use std::collections::VecDeque;

use crate::domain::CulpritId;

/// Waits retained. A message older than these is charged with those that are left.
const MAX_WAITS: usize = 1 << 16;

/// Waits per block; at the begin of each block the sums are stored.
const WAITS_PER_BLOCK: usize = 64;

/// Culprits with a sum of their own.
const MAX_CULPRITS: usize = 64;

/// The share of one culprit in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedgerShare {
    pub(super) culprit: CulpritId,
    /// Nanoseconds.
    pub(super) ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct LedgerEntry {
    from: u64,
    to: u64,
    ns: u64,
    /// Index of the culprit in the sums.
    slot: usize,
}

impl LedgerEntry {
    /// Its part within `from..to`, in proportion to the length, nanoseconds.
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

/// The waits of one thread in one part, in the order in which they ended. Instants are
/// `CLOCK_MONOTONIC` nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: VecDeque<LedgerEntry>,
    /// Entries dropped from the front so far; a multiple of [`WAITS_PER_BLOCK`].
    dropped: usize,
    /// For each retained block, the sums by slot over all entries before it.
    blocks: VecDeque<Vec<u64>>,
    /// The sums by slot over all entries so far.
    sums: Vec<u64>,
    /// The culprit of each slot.
    slots: Vec<CulpritId>,
}

impl Ledger {
    /// Adds a wait that is over; `ns` of it are charged to `culprit`.
    pub(super) fn add(&mut self, culprit: CulpritId, from: u64, to: u64, ns: u64) {
        if to <= from || ns == 0 {
            return;
        }
        let Some(slot) = self.slot(culprit) else {
            return;
        };
        if (self.dropped + self.entries.len()).is_multiple_of(WAITS_PER_BLOCK) {
            self.blocks.push_back(self.sums.clone());
        }
        self.sums[slot] += ns;
        self.entries.push_back(LedgerEntry { from, to, ns, slot });
        if self.entries.len() > MAX_WAITS {
            self.entries.drain(..WAITS_PER_BLOCK);
            self.blocks.pop_front();
            self.dropped += WAITS_PER_BLOCK;
        }
    }

    /// Forgets the blocks of waits that ended before an instant.
    pub(super) fn forget_before(&mut self, before: u64) {
        let old = self.entries.partition_point(|entry| entry.to < before);
        if old == self.entries.len() {
            *self = Self::default();
            return;
        }
        // Whole blocks only: sums are stored per block.
        let blocks = (self.dropped + old) / WAITS_PER_BLOCK - self.dropped / WAITS_PER_BLOCK;
        self.entries.drain(..blocks * WAITS_PER_BLOCK);
        self.blocks.drain(..blocks);
        self.dropped += blocks * WAITS_PER_BLOCK;
        self.entries.shrink_to(2 * self.entries.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The slot of a culprit; `None` when all are taken, so that the wait counts as other. A culprit
    /// without any retained wait gives its slot away.
    fn slot(&mut self, culprit: CulpritId) -> Option<usize> {
        let existing = self.slots.iter().position(|s| *s == culprit);
        if existing.is_some() {
            return existing;
        }
        if self.slots.len() < MAX_CULPRITS {
            self.slots.push(culprit);
            self.sums.push(0);
            return Some(self.slots.len() - 1);
        }
        // The sum before the first retained block is the sum of now: nothing was added since.
        let first = self.blocks.front()?;
        let slot = (0..MAX_CULPRITS).find(|&slot| first.get(slot) == Some(&self.sums[slot]))?;
        self.slots[slot] = culprit;
        Some(slot)
    }

    /// The shares of `from..to` that are not 0.
    pub(super) fn between(&self, from: u64, to: u64) -> Vec<LedgerShare> {
        let mut sums = vec![0u64; self.slots.len()];
        if from < to {
            self.sum(from, to, &mut sums);
        }
        self.slots
            .iter()
            .zip(sums)
            .filter(|(_, ns)| *ns > 0)
            .map(|(&culprit, ns)| LedgerShare { culprit, ns })
            .collect()
    }

    /// Adds the shares of `from..to` to `sums`, by slot.
    ///
    /// Waits of one part end in order and do not overlap, except that the shares of one run-queue
    /// wait have pieces of it in common. So the entries that can reach into the stretch are those
    /// that end after its begin, up to the first one that begins after its end.
    fn sum(&self, from: u64, to: u64, sums: &mut [u64]) {
        let first = self.entries.partition_point(|e| e.to <= from);
        let last = self.entries.partition_point(|e| e.to <= to);
        // Whole blocks by their sums, the entries before and after them one by one.
        let head = first
            .next_multiple_of(WAITS_PER_BLOCK)
            .saturating_add(WAITS_PER_BLOCK)
            .min(last);
        let tail = (last / WAITS_PER_BLOCK * WAITS_PER_BLOCK).max(head);
        for entry in self.entries.range(first..head) {
            sums[entry.slot] += entry.within(from, to);
        }
        if tail > head && head.is_multiple_of(WAITS_PER_BLOCK) {
            // After a last block that is full, the stored sums are those over all.
            let sums_at = |at: usize| self.blocks.get(at / WAITS_PER_BLOCK).unwrap_or(&self.sums);
            let (before, after) = (sums_at(head), sums_at(tail));
            for (slot, sum) in sums.iter_mut().enumerate() {
                let at = |block: &Vec<u64>| block.get(slot).copied().unwrap_or(0);
                *sum += at(after) - at(before);
            }
        }
        for entry in self.entries.range(tail..last) {
            sums[entry.slot] += entry.within(from, to);
        }
        // Waits that end after the stretch but begin within it.
        for entry in self.entries.range(last..).take(WAITS_PER_BLOCK) {
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

    /// The sum without blocks.
    fn summed_one_by_one(ledger: &Ledger, from: u64, to: u64) -> u64 {
        ledger.entries.iter().map(|e| e.within(from, to)).sum()
    }

    #[test]
    fn a_stretch_has_the_waits_that_fell_into_it() {
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
            let sum: u64 = ledger.between(from, to).iter().map(|share| share.ns).sum();
            assert_eq!(sum, summed_one_by_one(&ledger, from, to), "{from}..{to}");
        }
        assert_eq!(ledger.between(100_000, 200_000), []);
        assert_eq!(ledger.between(7, 7), []);
    }

    #[test]
    fn culprits_have_shares_of_their_own() {
        let mut ledger = Ledger::default();
        ledger.add(CulpritId(4), 100, 200, 60);
        ledger.add(CulpritId(5), 300, 400, 100);
        ledger.add(CulpritId(4), 400, 500, 100);
        let shares = ledger.between(150, 450);
        let of = |id| {
            let share = shares.iter().find(|s| s.culprit == CulpritId(id));
            share.map(|s| s.ns)
        };
        assert_eq!(of(4), Some(30 + 50));
        assert_eq!(of(5), Some(100));
    }

    #[test]
    fn memory_is_bounded() {
        let mut ledger = Ledger::default();
        for i in 0..(3 * MAX_WAITS as u64) {
            ledger.add(CulpritId(1), i * 10, i * 10 + 5, 5);
        }
        assert!(ledger.entries.len() <= MAX_WAITS);
        assert!(ledger.blocks.len() <= MAX_WAITS / WAITS_PER_BLOCK + 1);
        let end = 3 * MAX_WAITS as u64 * 10;
        let sum: u64 = ledger
            .between(end - 100_000, end)
            .iter()
            .map(|s| s.ns)
            .sum();
        assert_eq!(sum, 50_000);
        assert_eq!(ledger.between(end - 100_000, end).len(), 1);
    }

    #[test]
    fn only_old_waits_are_forgotten() {
        let mut ledger = Ledger::default();
        for i in 0..1000u64 {
            ledger.add(CulpritId(i as u32 % 3), i * 10, i * 10 + 5, 5);
        }
        let whole = ledger.between(7_000, 10_000);
        ledger.forget_before(6_990);
        assert!(ledger.entries.len() < 300 + 2 * WAITS_PER_BLOCK);
        assert_eq!(ledger.between(7_000, 10_000), whole);
        ledger.add(CulpritId(1), 10_000, 10_005, 5);
        assert_eq!(summed_one_by_one(&ledger, 7_000, 10_010), 301 * 5);
        ledger.forget_before(20_000);
        assert!(ledger.is_empty());
    }

    #[test]
    fn a_culprit_of_long_ago_makes_room() {
        let mut ledger = Ledger::default();
        let most = MAX_CULPRITS as u64;
        for i in 0..most {
            ledger.add(CulpritId(i as u32), i * 10, i * 10 + 10, 10);
        }
        for i in most..most + 200 {
            ledger.add(CulpritId(0), i * 10, i * 10 + 10, 10);
        }
        ledger.forget_before(most * 10 + 100);
        let (from, to) = ((most + 200) * 10, (most + 300) * 10);
        ledger.add(CulpritId(7_000), from, to, 1_000);
        let shares = ledger.between(from, to);
        let new = LedgerShare {
            culprit: CulpritId(7_000),
            ns: 1_000,
        };
        assert_eq!(shares, [new]);
        assert_eq!(ledger.slots.len(), MAX_CULPRITS);
    }

    #[test]
    fn the_number_of_culprits_is_bounded() {
        let mut ledger = Ledger::default();
        for i in 0..500u64 {
            ledger.add(CulpritId(i as u32), i * 10, i * 10 + 10, 10);
        }
        assert_eq!(ledger.between(0, 10_000).len(), MAX_CULPRITS);
    }
}
