//! The turns of threads on CPUs for which a tracked thread waited.

use std::collections::{HashMap, VecDeque};

use agent_common::{CpuTurn, RecordKind, RunQueueWait, TURNS_PER_BLOCK};

/// Blocks of turns retained per CPU. A wait of so many turns (two seconds at two switches per
/// millisecond) can be charged as a whole.
const MAX_BLOCKS: usize = 256;

/// The latest turns of every CPU.
#[derive(Debug, Default)]
pub(super) struct TurnHistory {
    cpus: HashMap<u32, VecDeque<TurnBlock>>,
}

/// [`TURNS_PER_BLOCK`] consecutive turns, or the first ones of them.
#[derive(Clone, Debug)]
struct TurnBlock {
    /// The number of its first turn divided by [`TURNS_PER_BLOCK`].
    number: u64,
    turns: Vec<CpuTurn>,
}

impl TurnHistory {
    /// Adds the turns in a record.
    pub(super) fn add(&mut self, record: &RunQueueWait) {
        // After a full block, the next turn is the first one of the next block.
        let (last, count) = match record.next_turn % TURNS_PER_BLOCK as u64 {
            0 if record.head.kind == RecordKind::CpuTurns as u32 => {
                (record.next_turn.wrapping_sub(1), TURNS_PER_BLOCK)
            }
            count => (record.next_turn, count as usize),
        };
        if count == 0 {
            return;
        }
        let (number, turns) = (last / TURNS_PER_BLOCK as u64, &record.turns[..count]);
        let blocks = self.cpus.entry(record.cpu).or_default();
        let at = blocks.partition_point(|block| block.number < number);
        match blocks.get_mut(at) {
            Some(block) if block.number == number => {
                let present = block.turns.len().min(count);
                block.turns.extend_from_slice(&turns[present..]);
            }
            _ => {
                let turns = turns.to_vec();
                blocks.insert(at, TurnBlock { number, turns });
            }
        }
        if blocks.len() > MAX_BLOCKS {
            blocks.pop_front();
        }
    }

    /// The turns of a CPU from number `first` up to and without `next`, as far as they are retained,
    /// with their numbers.
    pub(super) fn between(
        &self,
        cpu: u32,
        first: u64,
        next: u64,
    ) -> impl Iterator<Item = (u64, &CpuTurn)> {
        let blocks = self.cpus.get(&cpu).into_iter();
        let blocks = blocks.flat_map(move |blocks| {
            let at = blocks.partition_point(|block| block.number < first / TURNS_PER_BLOCK as u64);
            blocks.range(at..)
        });
        blocks
            .flat_map(|block| (block.number * TURNS_PER_BLOCK as u64..).zip(&block.turns))
            .skip_while(move |&(turn, _)| turn < first)
            .take_while(move |&(turn, _)| turn < next)
    }

    /// Forgets blocks that ended before an instant, `CLOCK_MONOTONIC` nanoseconds.
    pub(super) fn forget_before(&mut self, before: u64) {
        self.cpus.retain(|_, blocks| {
            blocks.retain(|block| {
                block
                    .turns
                    .last()
                    .is_some_and(|last| last.until_ns >= before)
            });
            !blocks.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of a CPU's turns up to `next`. Turn `n` is of thread `n` and ends at `10 * n`.
    fn record(cpu: u32, next: u64, full: bool) -> RunQueueWait {
        let mut record = RunQueueWait {
            cpu,
            next_turn: next,
            ..RunQueueWait::default()
        };
        record.head.kind = if full {
            RecordKind::CpuTurns
        } else {
            RecordKind::RunQueueWait
        } as u32;
        let first = (next - u64::from(full)) / TURNS_PER_BLOCK as u64 * TURNS_PER_BLOCK as u64;
        for (number, runner) in (first..next).zip(&mut record.turns) {
            (runner.tid, runner.until_ns) = (number as u32, 10 * number);
        }
        record
    }

    fn retained(turns: &TurnHistory, cpu: u32, first: u64, next: u64) -> Vec<u64> {
        let retained = turns.between(cpu, first, next);
        retained
            .map(|(number, runner)| {
                assert_eq!(u64::from(runner.tid), number);
                number
            })
            .collect()
    }

    #[test]
    fn a_full_block_and_a_part_of_the_next_are_put_together() {
        let mut turns = TurnHistory::default();
        turns.add(&record(0, 16, true));
        // Some of the next block, then more of it.
        turns.add(&record(0, 19, false));
        turns.add(&record(0, 21, false));
        turns.add(&record(0, 20, false));
        assert_eq!(retained(&turns, 0, 14, 20), [14, 15, 16, 17, 18, 19]);
        assert_eq!(retained(&turns, 0, 20, 40), [20]);
        assert!(retained(&turns, 0, 5, 5).is_empty());
        assert!(retained(&turns, 1, 0, 40).is_empty());
        // A wait that ends with a block has no turns of the next.
        turns.add(&record(1, 16, false));
        assert!(retained(&turns, 1, 0, 40).is_empty());
        turns.add(&record(0, 32, true));
        assert_eq!(retained(&turns, 0, 30, 40), [30, 31]);
    }

    #[test]
    fn a_lost_block_is_missing() {
        let mut turns = TurnHistory::default();
        turns.add(&record(0, 16, true));
        turns.add(&record(0, 50, false));
        assert_eq!(retained(&turns, 0, 14, 60), [14, 15, 48, 49]);
        // It comes late, from another CPU's record.
        turns.add(&record(0, 35, false));
        assert_eq!(retained(&turns, 0, 14, 60), [14, 15, 32, 33, 34, 48, 49]);
    }

    #[test]
    fn old_blocks_are_forgotten() {
        let mut turns = TurnHistory::default();
        for block in 1..=2 * MAX_BLOCKS as u64 {
            turns.add(&record(0, 16 * block, true));
        }
        let all = retained(&turns, 0, 0, u64::MAX);
        assert_eq!(all.len(), MAX_BLOCKS * TURNS_PER_BLOCK);
        let last = *all.last().expect("some");
        turns.forget_before(10 * last);
        assert_eq!(retained(&turns, 0, 0, u64::MAX).len(), TURNS_PER_BLOCK);
        turns.forget_before(10 * last + 1);
        assert!(turns.cpus.is_empty());
    }
}
