//! How long a message is under way when nothing holds it back and the reader is waiting for it.

/// Messages looked at: few enough to follow a route that changes.
const LATEST: usize = 63;

/// The median time in flight of the latest messages that found the reader waiting. It may be
/// negative (clock skew).
#[derive(Clone, Debug, Default)]
pub(crate) struct Transit {
    latest: Vec<i64>,
    next: usize,
    median: Option<i64>,
}

impl Transit {
    /// A message that found the reader waiting was in flight for so long.
    pub(crate) fn seen(&mut self, in_flight_ns: i64) {
        if self.latest.len() < LATEST {
            self.latest.push(in_flight_ns);
        } else {
            self.latest[self.next] = in_flight_ns;
        }
        self.next = (self.next + 1) % LATEST;
        self.median = None;
    }

    /// The median; `None` before the first.
    pub(crate) fn median_ns(&mut self) -> Option<i64> {
        if self.median.is_none() && !self.latest.is_empty() {
            let mut sorted = self.latest.clone();
            let middle = sorted.len() / 2;
            self.median = Some(*sorted.select_nth_unstable(middle).1);
        }
        self.median
    }
}
