//! Rates of arrivals and of draining, the backlog, and the time until MaxLatency.

use std::time::Duration;

use super::{
    thresholds::{HEALTHY_NS, MIN_GROWTH},
    trend::AgeLine,
};
use crate::domain::{Message, Moment, Part, Waiting};

/// Rates, backlog and growth of the age of one session.
///
/// A message is observed once it is read, so the rate of arrivals is that of the send times of the
/// messages read: with a backlog it is as old as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Flow {
    /// Messages sent per second, by the stamps of those read; `None` when the stamps do not allow
    /// it.
    pub arrivals_per_s: Option<f64>,
    /// Messages handed off per second.
    pub drained_per_s: f64,
    /// Estimated number of messages sent and not handed off: the rate of arrivals times the age of
    /// the latest message outside of the network.
    pub backlog_messages: Option<u64>,
    /// The backlog in bytes, by the mean length of the messages read.
    pub backlog_bytes: Option<u64>,
    /// Age of the latest message, nanoseconds.
    pub age_ns: Option<i64>,
    /// Growth of the age, seconds per second, over ten seconds or more; `None` with too few messages.
    pub age_slope: Option<f64>,
    /// Time until the age reaches MaxLatency: zero when it has, `None` when it does not grow.
    pub until_max_latency: Option<Duration>,
}

/// Stamps of this resolution or coarser do not show rates within seconds.
const COARSE_NS: i64 = 1_000_000_000;

/// The accumulator behind [`Flow`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlowTally {
    messages: u64,
    bytes: u64,
    /// Latest send time before the first of these messages.
    sent_before: Option<i64>,
    sent_first: Option<i64>,
    sent_last: Option<i64>,
    age_ns: Option<i64>,
    /// Age of the latest message outside of the network, nanoseconds.
    outside_network_ns: i64,
    /// The age is that of what waits, and nothing is handed off: it grows with the clock.
    is_stalled: bool,
    /// A stall has ended.
    has_recovered: bool,
    /// The first hand-off of all: the origin of the line.
    origin_ns: Option<i64>,
    line: AgeLine,
}

impl FlowTally {
    /// Adds a fresh message.
    pub(crate) fn add(&mut self, message: &Message) {
        let sent = if message.sent.resolution_ns >= COARSE_NS {
            message.arrived_ns.unwrap_or(message.received_ns)
        } else {
            message.sent.utc_ns
        };
        let age = message.split.age_ns();
        if std::mem::take(&mut self.is_stalled) {
            // It is over, and how the age grew in it says nothing about what comes.
            self.line = AgeLine::default();
            self.has_recovered = true;
        }
        if self.messages == 0 {
            self.sent_first = Some(sent);
        }
        self.messages += 1;
        self.bytes += u64::from(message.bytes);
        self.sent_last = self.sent_last.max(Some(sent));
        self.age_ns = Some(age);
        self.outside_network_ns = age - message.split.matrix().part(Part::Network);
        let origin = *self.origin_ns.get_or_insert(message.handed_off_ns);
        let at = (message.handed_off_ns - origin) as f64 / 1e9;
        self.line.add(at, age as f64 / 1e9);
    }

    /// Adds what waits as of `now`. It counts until a message is handed off.
    pub(crate) fn add_waiting(&mut self, now: Moment, waiting: &Waiting) {
        let age = waiting.age_ns();
        self.is_stalled = waiting.is_stalled(HEALTHY_NS.cast_unsigned());
        if self.messages > 0 && !(self.is_stalled && Some(age) > self.age_ns) {
            return;
        }
        self.age_ns = Some(age);
        self.outside_network_ns = age - waiting.split.matrix().part(Part::Network);
        let origin = *self.origin_ns.get_or_insert(now.utc_ns);
        self.line
            .add((now.utc_ns - origin) as f64 / 1e9, age as f64 / 1e9);
    }

    /// Whether a stall has ended since the last call.
    pub(crate) const fn take_recovery(&mut self) -> bool {
        std::mem::replace(&mut self.has_recovered, false)
    }

    /// The line through the ages.
    pub(crate) const fn line(&self) -> AgeLine {
        self.line
    }

    /// Begins a new interval.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            sent_before: self.sent_last.or(self.sent_before),
            origin_ns: self.origin_ns,
            is_stalled: self.is_stalled,
            ..Self::default()
        };
    }

    /// The flow over an interval of `length`, with ages that follow `line`.
    pub(crate) fn flow(&self, length: Duration, line: &AgeLine, max_latency: Duration) -> Flow {
        let arrivals_per_s = self.arrivals_per_s();
        let backlog =
            |rate: f64| (rate * self.outside_network_ns.max(0) as f64 / 1e9).round() as u64;
        let seconds = length.as_secs_f64();
        let age_slope = if self.is_stalled {
            Some(1.0)
        } else {
            line.slope()
        };
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
            until_max_latency: until_max_latency(self.age_ns, age_slope, max_latency),
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

/// The time until the age reaches MaxLatency. A growth below [`MIN_GROWTH`] counts as none.
fn until_max_latency(
    age_ns: Option<i64>,
    slope: Option<f64>,
    max_latency: Duration,
) -> Option<Duration> {
    let max_ns = i64::try_from(max_latency.as_nanos()).unwrap_or(i64::MAX);
    let remaining_ns = max_ns - age_ns?;
    if remaining_ns <= 0 {
        return Some(Duration::ZERO);
    }
    let slope = slope.filter(|&slope| slope >= MIN_GROWTH)?;
    Duration::try_from_secs_f64(remaining_ns as f64 / 1e9 / slope).ok()
}
