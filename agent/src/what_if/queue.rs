//! One reader and its queue.

use super::{read_batch::HandOffGroup, scenario::Scenario};
use crate::stats::{AgeQuantiles, Ages};

/// The queue of a reader in one scenario (Lindley's recursion), and the ages that result.
#[derive(Clone, Debug)]
pub(super) struct ReplayQueue {
    /// When the reader is done with everything so far, `CLOCK_MONOTONIC` nanoseconds.
    free_at: i64,
    total: Ages<u64, 2>,
    interval: Ages<u32, 2>,
}

impl Default for ReplayQueue {
    fn default() -> Self {
        Self {
            free_at: i64::MIN,
            total: Ages::default(),
            interval: Ages::default(),
        }
    }
}

impl ReplayQueue {
    /// The reader takes the messages of a group. Those that are readable when it begins are read and
    /// handed off together, the others once they are readable.
    pub(super) fn serve(&mut self, scenario: Scenario, group: &HandOffGroup<'_>) {
        let mut stall = scenario.remaining_ns(&group.stall);
        let work = scenario.remaining_ns(&group.work);
        let all = group.messages.len();
        // Equal shares, and the nanoseconds that are left over go to the first messages: with less
        // work no message has a larger share.
        let (share, rest) = (work / all as i64, work % all as i64);
        let work_for = |n: usize| share * n as i64 + rest.min(n as i64);
        let mut done = 0;
        while done < all {
            let begin = self.free_at.max(group.messages[done].readable) + stall;
            stall = 0;
            let rest = &group.messages[done + 1..];
            let more = rest.iter().take_while(|m| m.readable <= begin).count();
            let end = done + 1 + more;
            self.free_at = begin + work_for(end) - work_for(done);
            for message in group.messages[done..end].iter().filter(|m| m.counts) {
                let age = self.free_at - message.sent;
                self.total.record(age);
                self.interval.record(age);
            }
            done = end;
        }
    }

    pub(super) fn quantiles(&self) -> Option<AgeQuantiles> {
        self.total.quantiles()
    }

    /// The quantiles of the ages since the last call.
    pub(super) fn take_interval(&mut self) -> Option<AgeQuantiles> {
        let quantiles = self.interval.quantiles();
        self.interval.reset();
        quantiles
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.total.absorb(&other.total);
        self.interval.absorb(&other.interval);
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.total.heap_bytes() + self.interval.heap_bytes()
    }
}
