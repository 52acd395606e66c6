//! Who had which CPU, while somebody waited for it.

use std::collections::{HashMap, VecDeque};

use agent_common::{CpuTurn, RecordKind, RunQueueWait, TURNS_PER_BLOCK};

/// Blocks of switches kept of each CPU: a wait of so many (two seconds of a switch each half
/// millisecond) can be charged as a whole.
const MOST_BLOCKS: usize = 256;

/// The last switches of every CPU.
#[derive(Debug, Default)]
pub(super) struct Switches {
    cpus: HashMap<u32, VecDeque<Block>>,
}

/// [`TURNS_PER_BLOCK`] switches that follow upon each other, or the first ones of them.
#[derive(Clone, Debug)]
struct Block {
    /// Its number: that of its first switch by [`TURNS_PER_BLOCK`].
    number: u64,
    runners: Vec<CpuTurn>,
}

impl Switches {
    /// Takes in what a record tells of its CPU.
    pub(super) fn add(&mut self, record: &RunQueueWait) {
        // Of a full block the next switch is that of the next one.
        let (number, runners) = match record.next_turn % TURNS_PER_BLOCK as u64 {
            0 if record.head.kind == RecordKind::CpuTurns as u32 => {
                (record.next_turn.wrapping_sub(1), TURNS_PER_BLOCK)
            }
            there => (record.next_turn, there as usize),
        };
        if runners == 0 {
            return;
        }
        let (number, told) = (number / TURNS_PER_BLOCK as u64, &record.turns[..runners]);
        let blocks = self.cpus.entry(record.cpu).or_default();
        let at = blocks.partition_point(|known| known.number < number);
        match blocks.get_mut(at) {
            Some(known) if known.number == number => {
                let there = known.runners.len().min(runners);
                known.runners.extend_from_slice(&told[there..]);
            }
            _ => {
                let runners = told.to_vec();
                blocks.insert(at, Block { number, runners });
            }
        }
        if blocks.len() > MOST_BLOCKS {
            blocks.pop_front();
        }
    }

    /// The switches of a CPU from `first` on, before `next`, that are known: with their numbers.
    pub(super) fn between(
        &self,
        cpu: u32,
        first: u64,
        next: u64,
    ) -> impl Iterator<Item = (u64, &CpuTurn)> {
        let blocks = self.cpus.get(&cpu).into_iter();
        let blocks = blocks.flat_map(move |blocks| {
            let at = blocks.partition_point(|known| known.number < first / TURNS_PER_BLOCK as u64);
            blocks.range(at..)
        });
        blocks
            .flat_map(|block| (block.number * TURNS_PER_BLOCK as u64..).zip(&block.runners))
            .skip_while(move |&(switch, _)| switch < first)
            .take_while(move |&(switch, _)| switch < next)
    }

    /// Forgets the switches before an instant.
    pub(super) fn forget(&mut self, before: u64) {
        self.cpus.retain(|_, blocks| {
            blocks.retain(|block| {
                block
                    .runners
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

    /// A record of a CPU's switches up to `next`; that with number `n` is of thread `n`, until `10
    /// * n`.
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

    fn known(switches: &Switches, cpu: u32, first: u64, next: u64) -> Vec<u64> {
        let known = switches.between(cpu, first, next);
        known
            .map(|(number, runner)| {
                assert_eq!(u64::from(runner.tid), number);
                number
            })
            .collect()
    }

    #[test]
    fn blocks_and_what_there_is_of_the_next_are_put_together() {
        let mut switches = Switches::default();
        switches.add(&record(0, 16, true));
        // Of the next one some, and some more.
        switches.add(&record(0, 19, false));
        switches.add(&record(0, 21, false));
        switches.add(&record(0, 20, false));
        assert_eq!(known(&switches, 0, 14, 20), [14, 15, 16, 17, 18, 19]);
        assert_eq!(known(&switches, 0, 20, 40), [20]);
        assert!(known(&switches, 0, 5, 5).is_empty());
        assert!(known(&switches, 1, 0, 40).is_empty());
        // A wait that ends with a block has nothing more to tell.
        switches.add(&record(1, 16, false));
        assert!(known(&switches, 1, 0, 40).is_empty());
        switches.add(&record(0, 32, true));
        assert_eq!(known(&switches, 0, 30, 40), [30, 31]);
    }

    #[test]
    fn a_block_that_was_lost_is_not_known() {
        let mut switches = Switches::default();
        switches.add(&record(0, 16, true));
        switches.add(&record(0, 50, false));
        assert_eq!(known(&switches, 0, 14, 60), [14, 15, 48, 49]);
        // It comes late, from another CPU's record.
        switches.add(&record(0, 35, false));
        assert_eq!(known(&switches, 0, 14, 60), [14, 15, 32, 33, 34, 48, 49]);
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut switches = Switches::default();
        for block in 1..=2 * MOST_BLOCKS as u64 {
            switches.add(&record(0, 16 * block, true));
        }
        let all = known(&switches, 0, 0, u64::MAX);
        assert_eq!(all.len(), MOST_BLOCKS * TURNS_PER_BLOCK);
        let last = *all.last().expect("some");
        switches.forget(10 * last);
        assert_eq!(known(&switches, 0, 0, u64::MAX).len(), TURNS_PER_BLOCK);
        switches.forget(10 * last + 1);
        assert!(switches.cpus.is_empty());
    }
}
