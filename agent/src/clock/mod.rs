//! From monotonic time to UTC: the offset is tracked continuously and survives a step of the wall
//! clock.

mod source;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub(crate) use source::{RunClocks, SteppedClocks, SystemClocks, TimeSource};

use crate::domain::Moment;

/// Readings retained: more than an hour at four a second, so that a message that arrived long ago
/// still finds the offset of its time.
const MAX_READINGS: usize = 16_384;

/// Readings are at least this far apart, unless the clock was stepped.
const READING_INTERVAL_NS: u64 = 250_000_000;

/// A change of the offset by more than this between two readings is a step, not a slew: the kernel
/// slews by at most 500 us in a second (adjtimex(2)).
const MIN_STEP_NS: i64 = 1_000_000;

/// A clock that knows what UTC minus monotonic time was at any instant of the last hour.
#[derive(Debug)]
pub(crate) struct UtcClock<T = SystemClocks> {
    source: T,
    /// Monotonic time and the offset at that instant, ns; oldest first, never empty.
    readings: VecDeque<(u64, i64)>,
    steps: u64,
}

impl<T: TimeSource> UtcClock<T> {
    /// Takes a first reading.
    pub(crate) fn new(source: T) -> Self {
        let mut clock = Self {
            source,
            readings: VecDeque::new(),
            steps: 0,
        };
        let reading = clock.read();
        clock.readings.push_back(reading);
        clock
    }

    /// Reads the offset: the tightest of three readings of one clock between two of the other.
    fn read(&mut self) -> (u64, i64) {
        let mut best = (u64::MAX, (0, 0));
        for _ in 0..3 {
            let before = self.source.monotonic();
            let utc = self.source.realtime();
            let after = self.source.monotonic();
            let width = after.saturating_sub(before);
            if width < best.0 {
                let middle = before + width / 2;
                best = (width, (middle, utc - middle as i64));
            }
        }
        best.1
    }

    /// The present instant, its UTC by the latest reading.
    pub(crate) fn moment(&mut self) -> Moment {
        let monotonic_ns = self.source.monotonic();
        Moment {
            monotonic_ns,
            utc_ns: monotonic_ns as i64 + self.latest().1,
        }
    }

    /// Takes another reading when the last one is old enough or the clock was stepped. Call it
    /// often: a step is placed no more exactly than between two calls.
    pub(crate) fn track(&mut self) {
        let (at, offset) = self.read();
        let (last_at, last) = self.latest();
        let stepped = (offset - last).abs() > MIN_STEP_NS;
        if stepped {
            self.steps += 1;
        } else if at.saturating_sub(last_at) < READING_INTERVAL_NS {
            return;
        }
        if self.readings.len() >= MAX_READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back((at, offset));
    }

    fn latest(&self) -> (u64, i64) {
        self.readings.back().copied().unwrap_or((0, 0))
    }

    /// UTC minus monotonic time, ns, as it was at the monotonic instant `at`: the offset of the
    /// reading before it, or of the first one.
    #[must_use]
    pub(crate) fn offset_at(&self, at: u64) -> i64 {
        let index = self.readings.partition_point(|r| r.0 <= at);
        self.readings
            .get(index.saturating_sub(1))
            .map_or(0, |r| r.1)
    }

    /// How many steps of the wall clock were observed.
    #[must_use]
    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    /// `CLOCK_MONOTONIC` now, ns.
    pub(crate) fn monotonic(&mut self) -> u64 {
        self.source.monotonic()
    }
}
