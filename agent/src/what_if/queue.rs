//! One reader and its queue.

use super::{batch::Group, scenario::Scenario};
use crate::stats::{Ages, Quantiles};

/// The queue in one scenario: Lindley's recursion, and the ages it gives.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    /// When the reader is through with everything so far.
    free: i64,
    total: Ages<u64, 2>,
    interval: Ages<u32, 2>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            free: i64::MIN,
            total: Ages::default(),
            interval: Ages::default(),
        }
    }
}

impl Queue {
    /// The reader takes the messages of a group. Those that are there when it begins are read, and
    /// handed off, together; the others when they have come.
    pub(crate) fn serve(&mut self, scenario: Scenario, group: &Group<'_>) {
        let mut stall = scenario.left_of(&group.stall);
        let work = i128::from(scenario.left_of(&group.work));
        let all = group.messages.len();
        let until = |n: usize| (work * n as i128 / all as i128) as i64;
        let mut done = 0;
        while done < all {
            let begins = self.free.max(group.messages[done].there) + stall;
            stall = 0;
            let rest = &group.messages[done + 1..];
            let more = rest.iter().take_while(|m| m.there <= begins).count();
            let through = done + 1 + more;
            self.free = begins + until(through) - until(done);
            for message in &group.messages[done..through] {
                if message.counts {
                    let age = self.free - message.sent;
                    self.total.record(age);
                    self.interval.record(age);
                }
            }
            done = through;
        }
    }

    pub(crate) fn quantiles(&self) -> Option<Quantiles> {
        self.total.quantiles()
    }

    /// The ages since the last call.
    pub(crate) fn take_interval(&mut self) -> Option<Quantiles> {
        let spread = self.interval.quantiles();
        self.interval.reset();
        spread
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.total.absorb(&other.total);
        self.interval.absorb(&other.interval);
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.total.heap_bytes() + self.interval.heap_bytes()
    }
}
