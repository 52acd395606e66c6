//! Who was in the way of a thread that waited for a CPU.

use agent_common::{CpuTurn, RunQueueWait};

use super::{culprits::CulpritKey, switches::Switches};

/// A wait is cut into so many pieces at the most: who was in the way in its beginning need not have
/// been at its end.
const PIECES: usize = 16;

/// What a thread had of a CPU that another one waited for, in a piece of the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    tid: u32,
    tgid: u32,
    /// The piece, `CLOCK_MONOTONIC` ns.
    pub(super) from: u64,
    /// Its end.
    pub(super) to: u64,
    /// So long it was in the way.
    pub(super) ns: u64,
}

impl Share {
    pub(super) const fn key(&self, waiter_pid: u32) -> CulpritKey {
        CulpritKey::Runner {
            pid: waiter_pid,
            tid: self.tid,
            runner_pid: self.tgid,
        }
    }
}

/// One turn of a thread on the CPU, as far as it falls into the wait.
struct Turn {
    tid: u32,
    tgid: u32,
    from: u64,
    ns: u64,
    /// Meanwhile the one who waits was throttled for so long, ns; `None` when that is not known.
    withheld: Option<u64>,
}

/// Who had the CPU for how long while the thread waited for it and was not throttled, piece by
/// piece, in their order. Together no more than it waited: who had it at times that are not known
/// is nobody here.
pub(super) fn shares(queued: &RunQueueWait, switches: &Switches) -> Vec<Share> {
    let length = queued.to_ns.saturating_sub(queued.from_ns);
    let throttled = queued.throttled_ns.min(length);
    let waited = length - throttled;
    let turns = turns(queued, switches);
    let known: u64 = turns.iter().map(|turn| turn.ns).sum();
    let told: u64 = turns.iter().filter_map(|turn| turn.withheld).sum();
    let untold = turns.iter().filter(|turn| turn.withheld.is_none());
    let untold = untold.map(|turn| turn.ns).sum::<u64>() + length.saturating_sub(known);
    // The rest of the throttled time fell into what is left; where in it is not known: everybody is
    // charged less, alike.
    let rest = throttled.saturating_sub(told).min(untold);
    let mut shares: Vec<Share> = Vec::new();
    for piece in turns.chunks(turns.len().div_ceil(PIECES).max(1)) {
        let begun = shares.len();
        let (first, last) = (&piece[0], &piece[piece.len() - 1]);
        for turn in piece {
            let ns = match turn.withheld {
                Some(withheld) => turn.ns - withheld,
                None => part(turn.ns, untold - rest, untold),
            };
            let known = shares[begun..]
                .iter_mut()
                .find(|share| share.tid == turn.tid);
            match known {
                Some(share) => share.ns += ns,
                None => shares.push(Share {
                    tid: turn.tid,
                    tgid: turn.tgid,
                    from: first.from,
                    to: last.from + last.ns,
                    ns,
                }),
            }
        }
    }
    // Two clocks are not one: never more than there was.
    let all: u64 = shares.iter().map(|share| share.ns).sum();
    if all > waited {
        for share in &mut shares {
            share.ns = part(share.ns, waited, all);
        }
    }
    shares
}

/// `ns` by `of / whole`.
fn part(ns: u64, of: u64, whole: u64) -> u64 {
    (u128::from(ns) * u128::from(of) / u128::from(whole.max(1))) as u64
}

fn turns(queued: &RunQueueWait, switches: &Switches) -> Vec<Turn> {
    let turn = |since: u64, runner: &CpuTurn| {
        let from = since.max(queued.from_ns);
        let ns = runner.until_ns.min(queued.to_ns).saturating_sub(from);
        let told = runner.cfs_rq_low != 0 && runner.cfs_rq_low == queued.cfs_rq_low;
        Turn {
            tid: runner.tid,
            tgid: runner.tgid,
            from,
            ns,
            withheld: told.then(|| ns.min(u64::from(runner.throttled_ns))),
        }
    };
    // The next switch in line, and when it took over: of a turn whose beginning is not known,
    // nobody is charged.
    let mut line = Some((queued.first_turn, queued.from_ns));
    let mut turns = Vec::new();
    for (number, runner) in switches.between(queued.cpu, queued.first_turn, queued.next_turn) {
        if let Some((expected, since)) = line
            && expected == number
        {
            turns.push(turn(since, runner));
        }
        line = Some((number + 1, runner.until_ns));
    }
    if queued.current_tid != 0
        && let Some((next, since)) = line
        && next == queued.next_turn
    {
        let current = CpuTurn {
            tid: queued.current_tid,
            tgid: queued.current_tgid,
            until_ns: queued.to_ns,
            ..CpuTurn::default()
        };
        turns.push(turn(since, &current));
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: u32 = 7;

    fn runner(tid: u32, until: u64, withheld: Option<u32>) -> CpuTurn {
        CpuTurn {
            tid,
            tgid: 1,
            until_ns: until,
            throttled_ns: withheld.unwrap_or(0),
            cfs_rq_low: withheld.map_or(0, |_| GROUP),
        }
    }

    /// A wait from 1000 to the last switch, of which so much was throttled.
    fn wait(throttled: u64, runners: &[CpuTurn]) -> RunQueueWait {
        let mut queued = RunQueueWait {
            tid: 5,
            from_ns: 1_000,
            to_ns: runners.last().map_or(1_000, |last| last.until_ns),
            throttled_ns: throttled,
            next_turn: runners.len() as u64,
            cfs_rq_low: GROUP,
            ..RunQueueWait::default()
        };
        queued.turns[..runners.len()].copy_from_slice(runners);
        queued
    }

    fn told(queued: &RunQueueWait) -> Vec<(u32, u64)> {
        let mut switches = Switches::default();
        switches.add(queued);
        let mut all: Vec<(u32, u64)> = Vec::new();
        for share in shares(queued, &switches) {
            match all.iter_mut().find(|(tid, _)| *tid == share.tid) {
                Some((_, ns)) => *ns += share.ns,
                None => all.push((share.tid, share.ns)),
            }
        }
        all
    }

    #[test]
    fn who_was_in_the_way_when() {
        let turns = [
            runner(1, 1_100, Some(0)),
            runner(2, 1_600, Some(450)),
            runner(1, 1_700, Some(0)),
        ];
        let mut switches = Switches::default();
        let queued = wait(450, &turns);
        switches.add(&queued);
        let shares = shares(&queued, &switches);
        let pieces = shares.iter().map(|s| (s.tid, s.from, s.to, s.ns));
        let pieces: Vec<_> = pieces.collect();
        assert_eq!(
            pieces,
            [
                (1, 1_000, 1_100, 100),
                (2, 1_100, 1_600, 50),
                (1, 1_600, 1_700, 100)
            ]
        );
    }

    #[test]
    fn a_long_wait_is_cut_into_few_pieces() {
        let mut switches = Switches::default();
        for block in 0..10 {
            let mut full = RunQueueWait {
                next_turn: 16 * (block + 1),
                ..RunQueueWait::default()
            };
            full.head.kind = agent_common::RecordKind::CpuTurns as u32;
            for (at, runner) in (16 * block..).zip(&mut full.turns) {
                (runner.tid, runner.until_ns) = (at as u32 % 2, 1_000 + 10 * (at + 1));
            }
            switches.add(&full);
        }
        let queued = RunQueueWait {
            from_ns: 1_000,
            to_ns: 2_600,
            next_turn: 160,
            ..RunQueueWait::default()
        };
        let shares = shares(&queued, &switches);
        assert_eq!(shares.len(), 2 * PIECES);
        assert!(shares.is_sorted_by_key(|share| share.to));
        assert_eq!(shares.iter().map(|share| share.ns).sum::<u64>(), 1_600);
        assert_eq!((shares[0].from, shares[0].to), (1_000, 1_100));
    }

    #[test]
    fn who_ran_while_it_was_throttled_was_not_in_its_way() {
        let turns = [
            runner(1, 1_100, Some(0)),
            runner(2, 1_600, Some(450)),
            runner(1, 1_700, Some(0)),
        ];
        assert_eq!(told(&wait(450, &turns)), [(1, 200), (2, 50)]);
        assert_eq!(told(&wait(0, &turns)), [(1, 200), (2, 50)]);
    }

    #[test]
    fn of_one_turn_the_throttled_time_need_not_be_known() {
        let turns = [runner(1, 1_100, None), runner(2, 1_600, Some(400))];
        assert_eq!(told(&wait(480, &turns)), [(1, 20), (2, 100)]);
        // Of another group's nothing is known.
        let mut other = wait(480, &turns);
        other.cfs_rq_low = GROUP + 1;
        assert_eq!(told(&other), [(1, 20), (2, 100)]);
    }

    #[test]
    fn of_many_it_is_spread() {
        let turns = [runner(1, 1_100, None), runner(2, 1_400, None)];
        assert_eq!(told(&wait(100, &turns)), [(1, 75), (2, 225)]);
    }

    #[test]
    fn never_more_than_there_was() {
        let turns = [runner(1, 1_100, Some(0)), runner(2, 1_200, Some(0))];
        assert_eq!(told(&wait(100, &turns)), [(1, 50), (2, 50)]);
        assert_eq!(told(&wait(1_000, &turns)), [(1, 0), (2, 0)]);
        // One ran on after the wait.
        let mut early = wait(0, &turns);
        early.to_ns = 1_150;
        assert_eq!(told(&early), [(1, 100), (2, 50)]);
    }

    #[test]
    fn turns_whose_beginning_is_lost_are_nobodys() {
        let mut queued = wait(0, &[runner(18, 1_500, Some(0)), runner(19, 1_600, Some(0))]);
        queued.first_turn = 3;
        queued.next_turn = 18;
        let mut switches = Switches::default();
        switches.add(&queued);
        let shares = shares(&queued, &switches);
        let shares: Vec<_> = shares.iter().map(|share| (share.tid, share.ns)).collect();
        assert_eq!(shares, [(19, 100)]);
    }

    #[test]
    fn who_has_the_cpu_when_it_is_left_for_another() {
        let mut queued = wait(0, &[runner(1, 1_100, Some(0))]);
        (queued.to_ns, queued.current_tid, queued.current_tgid) = (1_400, 9, 1);
        assert_eq!(told(&queued), [(1, 100), (9, 300)]);
        // There was no switch at all.
        (queued.next_turn, queued.throttled_ns) = (0, 250);
        assert_eq!(told(&queued), [(9, 150)]);
        // Nothing is known of those before it.
        (queued.first_turn, queued.next_turn) = (16, 32);
        assert!(told(&queued).is_empty());
    }
}
