//! The moment arrived: which bytes became readable when, found by a message's last byte.

use std::collections::VecDeque;

use agent_common::Snapshot;

/// Arrivals retained for one socket (about 40 MiB). The kernel's receive buffer is full long
/// before, unless every segment is tiny; then the oldest become unknown.
const MAX_ARRIVALS: usize = 1 << 19;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// One past the last byte that arrived.
    end: u64,
    /// When the bytes arrived and the reader's counters then; `None` when that was not observed.
    reader: Option<Snapshot>,
}

/// Arrivals that the application has not received yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    queue: VecDeque<Arrival>,
    /// The end of the last arrival in `queue` or released from it.
    end: u64,
    /// Bytes before this position arrived before arrivals were observed.
    observed_from: u64,
    /// An arrival may have been lost since the last one.
    events_lost: bool,
}

impl Arrivals {
    /// Bytes up to `end` arrived before arrivals were observed.
    pub(super) fn unobserved_until(&mut self, end: u64) {
        self.observed_from = end;
        if end > self.end {
            self.push(end, None);
        }
    }

    /// An arrival may have been lost: the next one may cover bytes that arrived before it.
    pub(super) fn events_lost(&mut self) {
        self.events_lost = true;
    }

    /// Bytes up to `end` became readable at the instant of `reader`, the reader's counters.
    pub(super) fn arrived(&mut self, end: u64, reader: Snapshot) {
        let lost = std::mem::take(&mut self.events_lost);
        if end > self.end {
            self.push(end, (!lost).then_some(reader));
        }
    }

    fn push(&mut self, end: u64, reader: Option<Snapshot>) {
        if self.queue.len() >= MAX_ARRIVALS
            && let Some(oldest) = self.queue.pop_front()
            && let Some(next) = self.queue.front_mut()
            && next.end >= oldest.end
        {
            // Its bytes fall to the next arrival, whose instant is not theirs.
            next.reader = None;
        }
        self.queue.push_back(Arrival { end, reader });
        self.end = end;
    }

    /// When the byte before position `end` became readable; `None` when that was not observed.
    pub(super) fn of(&self, end: u64) -> Option<Snapshot> {
        let index = self.queue.partition_point(|a| a.end < end);
        self.queue.get(index).and_then(|a| a.reader)
    }

    /// Whether the byte before position `end` was in the queue already when arrivals began to be
    /// observed.
    pub(super) const fn was_present(&self, end: u64) -> bool {
        end <= self.observed_from
    }

    /// The application has received up to `end`: earlier arrivals are needed no longer.
    pub(super) fn release_until(&mut self, end: u64) {
        while self.queue.front().is_some_and(|a| a.end <= end) {
            self.queue.pop_front();
        }
        // No arrival covers some bytes: a socket with SO_RCVLOWAT, or a lost record.
        self.end = self.end.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at: u64) -> Snapshot {
        Snapshot {
            at_ns: at,
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_message_arrives_with_its_last_byte() {
        let mut arrivals = Arrivals::default();
        arrivals.unobserved_until(100);
        arrivals.arrived(150, at(1));
        arrivals.arrived(300, at(2));
        assert!(arrivals.of(100).is_none());
        assert_eq!(arrivals.of(101).map(|s| s.at_ns), Some(1));
        assert_eq!(arrivals.of(150).map(|s| s.at_ns), Some(1));
        assert_eq!(arrivals.of(151).map(|s| s.at_ns), Some(2));
        assert!(arrivals.of(301).is_none());
    }

    #[test]
    fn only_received_arrivals_are_released() {
        let mut arrivals = Arrivals::default();
        arrivals.arrived(150, at(1));
        arrivals.arrived(300, at(2));
        arrivals.release_until(200);
        assert_eq!(arrivals.queue.len(), 1);
        assert_eq!(arrivals.of(201).map(|s| s.at_ns), Some(2));
        arrivals.release_until(300);
        assert!(arrivals.queue.is_empty());
    }

    #[test]
    fn after_a_loss_the_next_arrival_is_unknown() {
        let mut arrivals = Arrivals::default();
        arrivals.arrived(100, at(1));
        arrivals.events_lost();
        arrivals.arrived(200, at(5));
        arrivals.arrived(300, at(6));
        assert_eq!(arrivals.of(100).map(|s| s.at_ns), Some(1));
        assert!(arrivals.of(150).is_none());
        assert!(arrivals.of(200).is_none());
        assert_eq!(arrivals.of(250).map(|s| s.at_ns), Some(6));
    }

    #[test]
    fn a_full_queue_makes_its_oldest_arrivals_unknown() {
        let mut arrivals = Arrivals::default();
        for i in 0..=MAX_ARRIVALS as u64 {
            arrivals.arrived(10 * (i + 1), at(i));
        }
        assert_eq!(arrivals.queue.len(), MAX_ARRIVALS);
        assert!(arrivals.of(10).is_none());
        assert!(arrivals.of(20).is_none());
        assert_eq!(arrivals.of(30).map(|s| s.at_ns), Some(2));
    }
}
