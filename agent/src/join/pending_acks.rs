//! Acknowledgements of ours that were owed and not sent yet.
//!
//! A sender without TCP_NODELAY keeps a small message back while anything it sent is not
//! acknowledged, and a receiver that does not read acknowledges up to 40 ms late (Nagle against
//! delayed ACK); one whose congestion window is full does the same with any message. What is known
//! here is a lower bound: with each arrival and each read the kernel tells up to where it has
//! acknowledged, how many segments it has sent, and when it sent the last of them. One segment
//! since the event before is the acknowledgement, and its instant is known. Of several only the
//! last has an instant: the acknowledgement is then taken to have been sent right after that event.

use std::collections::VecDeque;

use agent_common::Acknowledged;

/// Stretches held; with more, the oldest are given up, and less is known to have been pending.
const MOST: usize = 16_384;

/// A stretch in which an acknowledgement was pending, monotonic, ns.
#[derive(Clone, Copy, Debug)]
struct Pending {
    from: u64,
    to: u64,
    /// The sum over all earlier stretches.
    before: u64,
}

/// What an event told.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: u64,
    /// One past the last byte that had arrived.
    arrived: u64,
    /// One past the last byte that was acknowledged.
    acked: u64,
    /// Segments sent so far (wraps).
    segments: u32,
}

/// The acknowledgements of one socket.
#[derive(Debug, Default)]
pub struct Acks {
    /// Stretches that ended, oldest first.
    past: VecDeque<Pending>,
    /// The sum over all of them, given up ones included.
    sum: u64,
    /// The start of the stretch in progress: when the earliest byte that is not acknowledged was
    /// first seen.
    since: Option<u64>,
    /// `None` before the first event, and after a loss.
    last: Option<Told>,
}

impl Acks {
    /// At `at` bytes up to position `arrived` were there, and those up to position `acked` were
    /// acknowledged; `told` is what the kernel said.
    pub fn told(&mut self, at: u64, arrived: u64, acked: u64, told: &Acknowledged) {
        let segments = told.segments;
        if let Some(last) = self.last {
            let sent = segments.wrapping_sub(last.segments);
            if at < last.at || arrived < last.arrived || acked < last.acked || (sent as i32) < 0 {
                // Read while another CPU told of something newer.
                return;
            }
            if acked > last.acked
                && let Some(since) = self.since.take()
            {
                let known = sent == 1 && (last.at..=at).contains(&told.sent_at_ns);
                self.end(since, if known { told.sent_at_ns } else { last.at });
            }
        }
        self.last = Some(Told {
            at,
            arrived,
            acked,
            segments,
        });
        if arrived > acked {
            self.since.get_or_insert(at);
        }
    }

    /// Events were lost: what was sent since the last one is not known.
    pub fn lost(&mut self) {
        if let (Some(since), Some(last)) = (self.since.take(), self.last.take()) {
            self.end(since, last.at);
        }
        self.last = None;
    }

    fn end(&mut self, from: u64, to: u64) {
        if to <= from {
            return;
        }
        if self.past.len() >= MOST {
            self.past.pop_front();
        }
        self.past.push_back(Pending {
            from,
            to,
            before: self.sum,
        });
        self.sum += to - from;
    }

    /// Messages sent before `sent` have all arrived: stretches that ended before are done with.
    pub fn sent_until(&mut self, sent: u64) {
        while self.past.front().is_some_and(|p| p.to <= sent) {
            self.past.pop_front();
        }
    }

    /// For how long of `sent..arrived` an acknowledgement is known to have been pending, ns.
    #[must_use]
    pub fn pending(&self, sent: u64, arrived: u64) -> u64 {
        if sent >= arrived {
            return 0;
        }
        let mut pending = 0;
        // Stretches that overlap sent..arrived.
        let first = self.past.partition_point(|p| p.to <= sent);
        let end = self.past.partition_point(|p| p.from < arrived);
        if first < end {
            let (head, tail) = (&self.past[first], &self.past[end - 1]);
            pending = tail.before + (tail.to - tail.from) - head.before;
            pending -= sent.saturating_sub(head.from);
            pending -= tail.to.saturating_sub(arrived);
        }
        if let (Some(since), Some(last)) = (self.since, &self.last) {
            pending += last.at.min(arrived).saturating_sub(since.max(sent));
        }
        pending
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An event at `at`: arrived, acknowledged, segments sent and when the last.
    fn tell(acks: &mut Acks, at: u64, arrived: u64, acked: u64, segments: u32, sent_at: u64) {
        let told = Acknowledged {
            sent_at_ns: sent_at,
            end_seq: acked as u32,
            segments,
        };
        acks.told(at, arrived, acked, &told);
    }

    /// Nothing owed at 0.
    fn fresh() -> Acks {
        let mut acks = Acks::default();
        tell(&mut acks, 0, 100, 100, 7, 0);
        acks
    }

    #[test]
    fn a_delayed_acknowledgement_is_pending_until_it_is_sent() {
        let mut acks = fresh();
        tell(&mut acks, 1_000, 200, 100, 7, 0);
        // The timer sent it at 41,000; the next message was waiting for that.
        tell(&mut acks, 41_020, 300, 200, 8, 41_000);
        assert_eq!(acks.pending(0, 41_020), 40_000);
        assert_eq!(acks.pending(1_500, 41_020), 39_500);
        assert_eq!(acks.pending(1_500, 2_000), 500);
        // The message that came is owed an acknowledgement in turn, known so far up to now.
        assert_eq!(acks.pending(41_020, 50_000), 0);
        tell(&mut acks, 50_000, 400, 200, 8, 41_000);
        assert_eq!(acks.pending(41_020, 50_000), 8_980);
        assert_eq!(acks.pending(0, 60_000), 48_980);
    }

    #[test]
    fn what_is_acknowledged_with_the_arrival_itself_was_pending_until_then() {
        let mut acks = fresh();
        tell(&mut acks, 1_000, 200, 100, 7, 0);
        // One segment only: nothing was sent before the one that acknowledges both.
        tell(&mut acks, 5_000, 300, 300, 8, 4_999);
        assert_eq!(acks.pending(0, 5_000), 3_999);
    }

    #[test]
    fn of_several_segments_the_first_acknowledged() {
        let mut acks = fresh();
        tell(&mut acks, 1_000, 200, 100, 7, 0);
        tell(&mut acks, 3_000, 300, 100, 7, 0);
        // Two were sent since 3,000, the last at 9,000: the first may have gone out at once.
        tell(&mut acks, 10_000, 400, 300, 9, 9_000);
        assert_eq!(acks.pending(0, 10_000), 2_000);
    }

    #[test]
    fn an_acknowledgement_at_once_was_never_pending() {
        let mut acks = fresh();
        for k in 1..100 {
            tell(&mut acks, k * 10, 100 + k, 100 + k, 7 + k as u32, k * 10);
        }
        assert_eq!(acks.pending(0, 10_000), 0);
    }

    #[test]
    fn a_kernel_that_tells_no_instant_leaves_what_was_seen() {
        let mut acks = Acks::default();
        tell(&mut acks, 0, 100, 100, 0, 0);
        tell(&mut acks, 1_000, 200, 100, 0, 0);
        tell(&mut acks, 3_000, 300, 100, 0, 0);
        tell(&mut acks, 9_000, 400, 300, 0, 0);
        assert_eq!(acks.pending(0, 9_000), 2_000);
    }

    #[test]
    fn nothing_is_said_of_the_time_of_a_loss() {
        let mut acks = fresh();
        tell(&mut acks, 1_000, 200, 100, 7, 0);
        tell(&mut acks, 2_000, 300, 100, 7, 0);
        acks.lost();
        tell(&mut acks, 9_000, 400, 100, 7, 0);
        tell(&mut acks, 10_000, 500, 100, 7, 0);
        assert_eq!(acks.pending(0, 10_000), 1_000 + 1_000);
    }

    #[test]
    fn an_older_reading_changes_nothing() {
        let mut acks = fresh();
        tell(&mut acks, 1_000, 200, 100, 7, 0);
        tell(&mut acks, 2_000, 300, 200, 8, 1_500);
        tell(&mut acks, 2_001, 200, 100, 7, 0);
        tell(&mut acks, 3_000, 300, 300, 9, 2_500);
        assert_eq!(acks.pending(0, 3_000), 500 + 500);
    }

    #[test]
    fn stretches_that_nobody_can_ask_for_go() {
        let mut acks = fresh();
        for k in 0..(MOST as u64 + 10) {
            let at = 100 + k * 100;
            tell(&mut acks, at, 200 + k, 100 + k, 7 + k as u32, at - 50);
        }
        assert_eq!(acks.past.len(), MOST);
        let end = 100 + (MOST as u64 + 9) * 100;
        assert_eq!(acks.pending(end - 1_000, end), 500);
        acks.sent_until(end - 1_000);
        assert_eq!(acks.past.len(), 10);
        assert_eq!(acks.pending(end - 1_000, end), 500);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against a nanosecond-by-nanosecond account: never more than was truly pending, and all
        /// of it where no two segments were sent between two events.
        #[test]
        fn never_more_than_was_pending(steps in prop::collection::vec((0u8..4, 1u64..20), 1..80)) {
            let (mut acks, mut at) = (fresh(), 0);
            let (mut arrived, mut acked, mut segments, mut sent_at) = (100, 100, 7u32, 0);
            let (mut truth, mut most, mut exact) = (Vec::new(), 0, true);
            for (what, wait) in steps {
                for _ in 0..wait {
                    truth.push(arrived > acked);
                }
                at += wait;
                match what {
                    // Bytes arrive and are told of.
                    0 => arrived += 10,
                    // A read that tells how things stand.
                    1 => {}
                    // A segment is sent, and nobody tells.
                    _ => {
                        acked = arrived;
                        segments += 1;
                        sent_at = at;
                        most += 1;
                        exact &= most < 2;
                        continue;
                    }
                }
                most = 0;
                tell(&mut acks, at, arrived, acked, segments, sent_at);
            }
            tell(&mut acks, at, arrived, acked, segments, sent_at);
            for (from, to) in [(0, at), (at / 3, at), (at / 3, at * 2 / 3)] {
                let pending = truth[from as usize..to as usize].iter().filter(|&&p| p).count();
                let found = acks.pending(from, to);
                prop_assert!(found <= pending as u64, "{} of {}", found, pending);
                if exact {
                    prop_assert_eq!(found, pending as u64);
                }
            }
        }
    }
}
