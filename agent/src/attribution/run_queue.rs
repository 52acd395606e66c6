//! Which threads ran while another one waited for the CPU.

use agent_common::{CpuTurn, RunQueueWait};

use super::{cpu_turns::TurnHistory, culprits::CulpritKey};

/// The largest number of pieces that a wait is cut into. A message may cover only a part of a wait,
/// and the threads that ran at its beginning need not be those that ran at its end.
const MAX_PIECES: usize = 16;

/// How long one thread ran during one piece of a wait for its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunnerShare {
    tid: u32,
    tgid: u32,
    /// Begin of the piece, `CLOCK_MONOTONIC` nanoseconds.
    pub(super) from: u64,
    /// End of the piece.
    pub(super) to: u64,
    /// Time for which the thread was in the way, nanoseconds; at most `to - from`.
    pub(super) ns: u64,
}

impl RunnerShare {
    pub(super) const fn key(&self, waiter_pid: u32) -> CulpritKey {
        CulpritKey::Runner {
            pid: waiter_pid,
            tid: self.tid,
            runner_pid: self.tgid,
        }
    }
}

/// The turn of one thread on the CPU, clipped to the wait.
struct ClippedTurn {
    tid: u32,
    tgid: u32,
    from: u64,
    ns: u64,
    /// Time of it for which the waiter was throttled, nanoseconds; `None` where it was not
    /// observed.
    throttled_ns: Option<u64>,
}

/// The shares of the threads that ran while the waiter was runnable and not throttled, piece by
/// piece in order. They sum to the unthrottled length of the wait at most: turns that were not
/// recorded are missing.
pub(super) fn shares(wait: &RunQueueWait, history: &TurnHistory) -> Vec<RunnerShare> {
    let length = wait.to_ns.saturating_sub(wait.from_ns);
    let throttled = wait.throttled_ns.min(length);
    let turns = turns(wait, history);
    let unplaced = UnplacedThrottling::of(&turns, length, throttled);
    let mut shares: Vec<RunnerShare> = Vec::new();
    for piece in turns.chunks(turns.len().div_ceil(MAX_PIECES).max(1)) {
        let begun = shares.len();
        let (first, last) = (&piece[0], &piece[piece.len() - 1]);
        for turn in piece {
            let ns = match turn.throttled_ns {
                Some(throttled) => turn.ns - throttled,
                None => unplaced.without(turn.ns),
            };
            let existing = shares[begun..]
                .iter_mut()
                .find(|share| share.tid == turn.tid);
            match existing {
                Some(share) => share.ns += ns,
                None => shares.push(RunnerShare {
                    tid: turn.tid,
                    tgid: turn.tgid,
                    from: first.from,
                    to: last.from + last.ns,
                    ns,
                }),
            }
        }
    }
    // The throttled time comes from another clock than the turns: never charge more than there was.
    let waited = length - throttled;
    let all: u64 = shares.iter().map(|share| share.ns).sum();
    if all > waited {
        for share in &mut shares {
            share.ns = scale(share.ns, waited, all);
        }
    }
    shares
}

/// Throttled time of the wait that no turn accounts for. It fell somewhere into the turns without a
/// throttled time of their own and into the time without turns: all of those are charged less, in
/// proportion.
struct UnplacedThrottling {
    /// Time it may have fallen into, nanoseconds.
    within: u64,
    /// The throttled time, at most `within`.
    throttled: u64,
}

impl UnplacedThrottling {
    fn of(turns: &[ClippedTurn], length: u64, throttled: u64) -> Self {
        let in_turns: u64 = turns.iter().map(|turn| turn.ns).sum();
        let placed: u64 = turns.iter().filter_map(|turn| turn.throttled_ns).sum();
        let unmarked = turns.iter().filter(|turn| turn.throttled_ns.is_none());
        let unmarked: u64 = unmarked.map(|turn| turn.ns).sum();
        let within = unmarked + length.saturating_sub(in_turns);
        Self {
            within,
            throttled: throttled.saturating_sub(placed).min(within),
        }
    }

    /// What is left of `ns` without the throttled time.
    fn without(&self, ns: u64) -> u64 {
        scale(ns, self.within - self.throttled, self.within)
    }
}

/// `ns * of / whole`, exactly up to rounding down.
fn scale(ns: u64, of: u64, whole: u64) -> u64 {
    (u128::from(ns) * u128::from(of) / u128::from(whole.max(1))) as u64
}

/// The turns during a wait, in order, each clipped to it.
fn turns(wait: &RunQueueWait, history: &TurnHistory) -> Vec<ClippedTurn> {
    let clip = |since: u64, turn: &CpuTurn| {
        let from = since.max(wait.from_ns);
        let ns = turn.until_ns.min(wait.to_ns).saturating_sub(from);
        // The throttled time of a turn is that of the queue it was read from.
        let same_queue = turn.cfs_rq_low != 0 && turn.cfs_rq_low == wait.cfs_rq_low;
        ClippedTurn {
            tid: turn.tid,
            tgid: turn.tgid,
            from,
            ns,
            throttled_ns: same_queue.then(|| ns.min(u64::from(turn.throttled_ns))),
        }
    };
    // The number and the begin of the turn that comes next. The begin of a turn whose predecessor is
    // missing is unknown: such a turn is not charged.
    let mut expected = Some((wait.first_turn, wait.from_ns));
    let mut turns = Vec::new();
    for (number, turn) in history.between(wait.cpu, wait.first_turn, wait.next_turn) {
        if let Some((next, since)) = expected
            && next == number
        {
            turns.push(clip(since, turn));
        }
        expected = Some((number + 1, turn.until_ns));
    }
    if wait.current_tid != 0
        && let Some((next, since)) = expected
        && next == wait.next_turn
    {
        let current = CpuTurn {
            tid: wait.current_tid,
            tgid: wait.current_tgid,
            until_ns: wait.to_ns,
            ..CpuTurn::default()
        };
        turns.push(clip(since, &current));
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: u32 = 7;

    fn turn(tid: u32, until: u64, throttled: Option<u32>) -> CpuTurn {
        CpuTurn {
            tid,
            tgid: 1,
            until_ns: until,
            throttled_ns: throttled.unwrap_or(0),
            cfs_rq_low: throttled.map_or(0, |_| GROUP),
        }
    }

    /// A wait from 1000 to the end of the last turn, `throttled` of it throttled.
    fn wait(throttled: u64, turns: &[CpuTurn]) -> RunQueueWait {
        let mut record = RunQueueWait {
            tid: 5,
            from_ns: 1_000,
            to_ns: turns.last().map_or(1_000, |last| last.until_ns),
            throttled_ns: throttled,
            next_turn: turns.len() as u64,
            cfs_rq_low: GROUP,
            ..RunQueueWait::default()
        };
        record.turns[..turns.len()].copy_from_slice(turns);
        record
    }

    fn runners(record: &RunQueueWait) -> Vec<(u32, u64)> {
        let mut history = TurnHistory::default();
        history.add(record);
        let mut all: Vec<(u32, u64)> = Vec::new();
        for share in shares(record, &history) {
            match all.iter_mut().find(|(tid, _)| *tid == share.tid) {
                Some((_, ns)) => *ns += share.ns,
                None => all.push((share.tid, share.ns)),
            }
        }
        all
    }

    #[test]
    fn each_runner_has_its_share_of_its_piece() {
        let turns = [
            turn(1, 1_100, Some(0)),
            turn(2, 1_600, Some(450)),
            turn(1, 1_700, Some(0)),
        ];
        let mut history = TurnHistory::default();
        let record = wait(450, &turns);
        history.add(&record);
        let shares = shares(&record, &history);
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
        let mut history = TurnHistory::default();
        for block in 0..10 {
            let mut full = RunQueueWait {
                next_turn: 16 * (block + 1),
                ..RunQueueWait::default()
            };
            full.head.kind = agent_common::RecordKind::CpuTurns as u32;
            for (at, runner) in (16 * block..).zip(&mut full.turns) {
                (runner.tid, runner.until_ns) = (at as u32 % 2, 1_000 + 10 * (at + 1));
            }
            history.add(&full);
        }
        let record = RunQueueWait {
            from_ns: 1_000,
            to_ns: 2_600,
            next_turn: 160,
            ..RunQueueWait::default()
        };
        let shares = shares(&record, &history);
        assert_eq!(shares.len(), 2 * MAX_PIECES);
        assert!(shares.is_sorted_by_key(|share| share.to));
        assert_eq!(shares.iter().map(|share| share.ns).sum::<u64>(), 1_600);
        assert_eq!((shares[0].from, shares[0].to), (1_000, 1_100));
    }

    #[test]
    fn a_turn_while_the_waiter_was_throttled_is_not_charged() {
        let turns = [
            turn(1, 1_100, Some(0)),
            turn(2, 1_600, Some(450)),
            turn(1, 1_700, Some(0)),
        ];
        assert_eq!(runners(&wait(450, &turns)), [(1, 200), (2, 50)]);
        assert_eq!(runners(&wait(0, &turns)), [(1, 200), (2, 50)]);
    }

    #[test]
    fn unplaced_throttled_time_goes_to_the_turn_without_a_throttled_time() {
        let turns = [turn(1, 1_100, None), turn(2, 1_600, Some(400))];
        assert_eq!(runners(&wait(480, &turns)), [(1, 20), (2, 100)]);
        // The turns read the throttled time of another queue.
        let mut other = wait(480, &turns);
        other.cfs_rq_low = GROUP + 1;
        assert_eq!(runners(&other), [(1, 20), (2, 100)]);
    }

    #[test]
    fn unplaced_throttled_time_is_spread_in_proportion() {
        let turns = [turn(1, 1_100, None), turn(2, 1_400, None)];
        assert_eq!(runners(&wait(100, &turns)), [(1, 75), (2, 225)]);
    }

    #[test]
    fn shares_never_sum_to_more_than_the_wait() {
        let turns = [turn(1, 1_100, Some(0)), turn(2, 1_200, Some(0))];
        assert_eq!(runners(&wait(100, &turns)), [(1, 50), (2, 50)]);
        assert_eq!(runners(&wait(1_000, &turns)), [(1, 0), (2, 0)]);
        // The last turn goes on after the wait.
        let mut early = wait(0, &turns);
        early.to_ns = 1_150;
        assert_eq!(runners(&early), [(1, 100), (2, 50)]);
    }

    #[test]
    fn a_turn_whose_begin_is_unknown_is_not_charged() {
        let mut record = wait(0, &[turn(18, 1_500, Some(0)), turn(19, 1_600, Some(0))]);
        record.first_turn = 3;
        record.next_turn = 18;
        let mut history = TurnHistory::default();
        history.add(&record);
        let shares = shares(&record, &history);
        let shares: Vec<_> = shares.iter().map(|share| (share.tid, share.ns)).collect();
        assert_eq!(shares, [(19, 100)]);
    }

    #[test]
    fn the_thread_on_the_cpu_is_charged_when_the_waiter_leaves_for_another_cpu() {
        let mut record = wait(0, &[turn(1, 1_100, Some(0))]);
        (record.to_ns, record.current_tid, record.current_tgid) = (1_400, 9, 1);
        assert_eq!(runners(&record), [(1, 100), (9, 300)]);
        // Without any switch.
        (record.next_turn, record.throttled_ns) = (0, 250);
        assert_eq!(runners(&record), [(9, 150)]);
        // The turns before it are missing.
        (record.first_turn, record.next_turn) = (16, 32);
        assert!(runners(&record).is_empty());
    }
}
