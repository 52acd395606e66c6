//! The moment arrived: which bytes became readable when, looked up by a message's last byte.

use std::collections::VecDeque;

use agent_common::Snapshot;

/// The most arrivals held for one socket (about 40 MiB). The kernel's receive buffer is full long
/// before, unless every segment is tiny; then the oldest become unknown.
const MOST: usize = 1 << 19;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// One past the last byte that arrived.
    end: u64,
    /// `None` when it was not seen when these bytes arrived.
    reader: Option<Snapshot>,
}

/// Arrivals not yet read by the application, oldest first.
#[derive(Debug, Default)]
pub struct Arrivals {
    queue: VecDeque<Arrival>,
    /// Bytes up to here are accounted for by `queue` or gone from it.
    end: u64,
    lost: bool,
}

impl Arrivals {
    /// Bytes up to `end` arrived unseen.
    pub fn unseen_until(&mut self, end: u64) {
        if end > self.end {
            self.push(end, None);
        }
    }

    /// An arrival may have been lost: the bytes of the next one are not known to be its alone.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// Bytes up to `end` became readable; `reader` is the instant and what the reader was doing.
    pub fn arrived(&mut self, end: u64, reader: Snapshot) {
        let lost = std::mem::take(&mut self.lost);
        if end > self.end {
            self.push(end, (!lost).then_some(reader));
        }
    }

    fn push(&mut self, end: u64, reader: Option<Snapshot>) {
        if self.queue.len() >= MOST
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

    /// When the byte before position `end` became readable; `None` when that was not seen.
    #[must_use]
    pub fn of(&self, end: u64) -> Option<Snapshot> {
        let index = self.queue.partition_point(|a| a.end < end);
        self.queue.get(index).and_then(|a| a.reader)
    }

    /// The application has read up to `end`: what arrived before is not asked for again.
    pub fn read_until(&mut self, end: u64) {
        while self.queue.front().is_some_and(|a| a.end <= end) {
            self.queue.pop_front();
        }
        // Bytes read that no arrival covers: a socket with SO_RCVLOWAT, a lost record.
        self.end = self.end.max(end);
    }

    /// Arrivals held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
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
        arrivals.unseen_until(100);
        arrivals.arrived(150, at(1));
        arrivals.arrived(300, at(2));
        assert!(arrivals.of(100).is_none());
        assert_eq!(arrivals.of(101).map(|s| s.at_ns), Some(1));
        assert_eq!(arrivals.of(150).map(|s| s.at_ns), Some(1));
        assert_eq!(arrivals.of(151).map(|s| s.at_ns), Some(2));
        assert!(arrivals.of(301).is_none());
    }

    #[test]
    fn reading_drops_only_what_is_past() {
        let mut arrivals = Arrivals::default();
        arrivals.arrived(150, at(1));
        arrivals.arrived(300, at(2));
        arrivals.read_until(200);
        assert_eq!(arrivals.len(), 1);
        assert_eq!(arrivals.of(201).map(|s| s.at_ns), Some(2));
        arrivals.read_until(300);
        assert!(arrivals.is_empty());
    }

    #[test]
    fn after_a_loss_one_arrival_is_not_believed() {
        let mut arrivals = Arrivals::default();
        arrivals.arrived(100, at(1));
        arrivals.lost();
        arrivals.arrived(200, at(5));
        arrivals.arrived(300, at(6));
        assert_eq!(arrivals.of(100).map(|s| s.at_ns), Some(1));
        assert!(arrivals.of(150).is_none());
        assert!(arrivals.of(200).is_none());
        assert_eq!(arrivals.of(250).map(|s| s.at_ns), Some(6));
    }

    #[test]
    fn a_full_queue_forgets_and_says_so() {
        let mut arrivals = Arrivals::default();
        for i in 0..=MOST as u64 {
            arrivals.arrived(10 * (i + 1), at(i));
        }
        assert_eq!(arrivals.len(), MOST);
        assert!(arrivals.of(10).is_none());
        assert!(arrivals.of(20).is_none());
        assert_eq!(arrivals.of(30).map(|s| s.at_ns), Some(2));
    }
}
