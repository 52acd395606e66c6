//! The usual time in flight: nothing holds the message back, and the reader waits for it.

/// Messages in the median: few enough to follow a route that changes.
const SAMPLES: usize = 63;

/// The median time in flight of the latest messages that found the reader waiting. It is negative
/// under clock skew.
#[derive(Clone, Debug, Default)]
pub(super) struct Transit {
    latest: Vec<i64>,
    next: usize,
    median: Option<i64>,
}

impl Transit {
    /// Adds the time in flight of a message that found the reader waiting, nanoseconds.
    pub(super) fn record(&mut self, in_flight_ns: i64) {
        if self.latest.len() < SAMPLES {
            self.latest.push(in_flight_ns);
        } else {
            self.latest[self.next] = in_flight_ns;
        }
        self.next = (self.next + 1) % SAMPLES;
        self.median = None;
    }

    /// The median, nanoseconds; `None` without messages.
    pub(super) fn median_ns(&mut self) -> Option<i64> {
        if self.median.is_none() && !self.latest.is_empty() {
            let mut sorted = self.latest.clone();
            let middle = sorted.len() / 2;
            self.median = Some(*sorted.select_nth_unstable(middle).1);
        }
        self.median
    }
}
