//! What comes in, what is drained, and where that leads.

use std::time::Duration;

use super::trend::Line;
use crate::domain::{Message, Part};

/// Rates, backlog and trend of one session.
///
/// The agent sees a message once it is read, so the rate of arrivals is that of the sends of the
/// messages read: with a backlog it is as old as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// Messages sent per second, by the stamps of those read; `None` when they do not tell.
    pub arrivals_per_s: Option<f64>,
    /// Messages handed off per second.
    pub drained_per_s: f64,
    /// Messages sent and not handed off, about: the latest one's age outside the network at the
    /// rate of arrivals.
    pub backlog_messages: Option<u64>,
    /// The same in bytes, by the mean length of the messages read.
    pub backlog_bytes: Option<u64>,
    /// Age of the latest message, nanoseconds.
    pub age_ns: Option<i64>,
    /// By how many seconds the age grows in a second, over the latest ten seconds at the least;
    /// `None` with too few messages.
    pub age_slope: Option<f64>,
    /// Until the age reaches MaxLatency: zero when it has, `None` when it does not grow.
    pub until_max_latency: Option<Duration>,
}

/// Stamps at least this far apart say nothing of the rate within seconds.
const COARSE_NS: i64 = 1_000_000_000;

/// Adds up what [`Flow`] is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlowTally {
    messages: u64,
    bytes: u64,
    /// The last send before the first of these messages.
    sent_before: Option<i64>,
    sent_first: Option<i64>,
    sent_last: Option<i64>,
    age_ns: Option<i64>,
    outside_ns: i64,
    /// When the first message of all was handed off: where the line counts from.
    origin_ns: Option<i64>,
    line: Line,
}

impl FlowTally {
    /// A fresh message.
    pub(crate) fn message(&mut self, message: &Message) {
        let sent = if message.sent.resolution_ns >= COARSE_NS {
            message.arrived_ns.unwrap_or(message.received_ns)
        } else {
            message.sent.utc_ns
        };
        let age = message.split.age_ns();
        if self.messages == 0 {
            self.sent_first = Some(sent);
        }
        self.messages += 1;
        self.bytes += u64::from(message.bytes);
        self.sent_last = self.sent_last.max(Some(sent));
        self.age_ns = Some(age);
        self.outside_ns = age - message.split.matrix().part(Part::Network);
        let origin = *self.origin_ns.get_or_insert(message.handed_off_ns);
        let at = (message.handed_off_ns - origin) as f64 / 1e9;
        self.line.point(at, age as f64 / 1e9);
    }

    /// The line through the ages.
    pub(crate) const fn line(&self) -> Line {
        self.line
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            sent_before: self.sent_last.or(self.sent_before),
            origin_ns: self.origin_ns,
            ..Self::default()
        };
    }

    /// What it comes to over `length`, where the ages follow `line`.
    pub(crate) fn flow(&self, length: Duration, line: &Line, max_latency: Duration) -> Flow {
        let arrivals_per_s = self.arrivals_per_s();
        let backlog = |rate: f64| (rate * self.outside_ns.max(0) as f64 / 1e9).round() as u64;
        let seconds = length.as_secs_f64();
        let age_slope = line.slope();
        Flow {
            arrivals_per_s,
            drained_per_s: if seconds > 0.0 {
                self.messages as f64 / seconds
            } else {
                0.0
            },
            backlog_messages: arrivals_per_s.map(backlog),
            backlog_bytes: arrivals_per_s.map(|rate| {
                let each = self.bytes as f64 / self.messages.max(1) as f64;
                (backlog(rate) as f64 * each).round() as u64
            }),
            age_ns: self.age_ns,
            age_slope,
            until_max_latency: left(self.age_ns, age_slope, max_latency),
        }
    }

    fn arrivals_per_s(&self) -> Option<f64> {
        let (messages, from) = match self.sent_before {
            Some(before) => (self.messages, before),
            None => (self.messages.checked_sub(1)?, self.sent_first?),
        };
        let span = self.sent_last? - from;
        (messages > 0 && span > 0).then(|| messages as f64 * 1e9 / span as f64)
    }
}

/// The time left until the age reaches MaxLatency. Slopes too small for a trend count as none.
fn left(age_ns: Option<i64>, slope: Option<f64>, max_latency: Duration) -> Option<Duration> {
    let most = i64::try_from(max_latency.as_nanos()).unwrap_or(i64::MAX);
    let missing = most - age_ns?;
    if missing <= 0 {
        return Some(Duration::ZERO);
    }
    let slope = slope.filter(|&slope| slope >= super::GROWING)?;
    Duration::try_from_secs_f64(missing as f64 / 1e9 / slope).ok()
}
