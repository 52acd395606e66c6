//! Acknowledgements of ours that were due and not sent yet.
//!
//! A sender without TCP_NODELAY withholds a small message while anything it sent is not
//! acknowledged, and a receiver that does not read acknowledges up to 40 ms late (Nagle against
//! delayed ACK). A sender whose congestion window is full does the same with any message.
//!
//! The pending time is a lower bound. With each arrival and each receive call the probes read from
//! the kernel up to where it has acknowledged, how many segments it has sent, and when it sent the
//! last of them. If one segment was sent since the reading before, it is the acknowledgement, and
//! its instant is exact. Of several only the last has an instant: the acknowledgement is then taken
//! to have been sent right after the reading before.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use agent_common::Acknowledged;

/// Stretches retained; when there are more, the oldest are dropped and the bound is lower.
const MAX_STRETCHES: usize = 16_384;

/// A stretch in which an acknowledgement was pending, `CLOCK_MONOTONIC` ns.
#[derive(Clone, Copy, Debug)]
struct PendingStretch {
    from_ns: u64,
    to_ns: u64,
    /// The sum over all earlier stretches.
    earlier_ns: u64,
}

/// How the acknowledgements stood at one instant.
#[derive(Clone, Copy, Debug)]
struct AckReading {
    at_ns: u64,
    /// One past the last byte that had arrived.
    arrived: u64,
    /// One past the last byte that was acknowledged.
    acked: u64,
    /// Segments sent so far (wraps).
    segments: u32,
}

/// The pending acknowledgements of one socket.
#[derive(Debug, Default)]
pub(super) struct PendingAcks {
    /// Stretches that have ended, oldest first.
    ended: VecDeque<PendingStretch>,
    /// The sum over all of them, dropped ones included, ns.
    total_ns: u64,
    /// The start of the stretch in progress: when the earliest byte that is not acknowledged was
    /// first observed.
    since_ns: Option<u64>,
    /// `None` before the first reading, and after a loss.
    last: Option<AckReading>,
}

impl PendingAcks {
    /// Takes in a reading: at `at_ns` bytes up to position `arrived` had arrived, and those up to
    /// position `acked` were acknowledged.
    pub(super) fn observe(&mut self, at_ns: u64, arrived: u64, acked: u64, reading: &Acknowledged) {
        let segments = reading.segments;
        if let Some(last) = self.last {
            let sent = segments.wrapping_sub(last.segments);
            if at_ns < last.at_ns
                || arrived < last.arrived
                || acked < last.acked
                || (sent as i32) < 0
            {
                // Read while another CPU wrote a newer record.
                return;
            }
            if acked > last.acked
                && let Some(since_ns) = self.since_ns.take()
            {
                let sent_at_ns = reading.sent_at_ns;
                let is_exact = sent == 1 && (last.at_ns..=at_ns).contains(&sent_at_ns);
                self.end(since_ns, if is_exact { sent_at_ns } else { last.at_ns });
            }
        }
        self.last = Some(AckReading {
            at_ns,
            arrived,
            acked,
            segments,
        });
        if arrived > acked {
            self.since_ns.get_or_insert(at_ns);
        }
    }

    /// Events were lost: what was sent since the last reading is unknown.
    pub(super) fn events_lost(&mut self) {
        if let (Some(since_ns), Some(last)) = (self.since_ns.take(), self.last.take()) {
            self.end(since_ns, last.at_ns);
        }
        self.last = None;
    }

    fn end(&mut self, from_ns: u64, to_ns: u64) {
        if to_ns <= from_ns {
            return;
        }
        if self.ended.len() >= MAX_STRETCHES {
            self.ended.pop_front();
        }
        self.ended.push_back(PendingStretch {
            from_ns,
            to_ns,
            earlier_ns: self.total_ns,
        });
        self.total_ns += to_ns - from_ns;
    }

    /// All messages sent before `sent_ns` have arrived: stretches that ended before it are needed
    /// no longer.
    pub(super) fn release_until(&mut self, sent_ns: u64) {
        while self.ended.front().is_some_and(|p| p.to_ns <= sent_ns) {
            self.ended.pop_front();
        }
    }

    /// For how long of `sent_ns..arrived_ns` an acknowledgement was pending, at the least, ns.
    pub(super) fn pending_ns(&self, sent_ns: u64, arrived_ns: u64) -> u64 {
        if sent_ns >= arrived_ns {
            return 0;
        }
        let mut pending = 0;
        // Stretches that overlap sent_ns..arrived_ns.
        let first = self.ended.partition_point(|p| p.to_ns <= sent_ns);
        let end = self.ended.partition_point(|p| p.from_ns < arrived_ns);
        if first < end {
            let (head, tail) = (&self.ended[first], &self.ended[end - 1]);
            pending = tail.earlier_ns + (tail.to_ns - tail.from_ns) - head.earlier_ns;
            pending -= sent_ns.saturating_sub(head.from_ns);
            pending -= tail.to_ns.saturating_sub(arrived_ns);
        }
        if let (Some(since_ns), Some(last)) = (self.since_ns, &self.last) {
            pending += last
                .at_ns
                .min(arrived_ns)
                .saturating_sub(since_ns.max(sent_ns));
        }
        pending
    }
}
