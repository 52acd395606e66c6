//! Readings of cumulative counters. The difference of the latest two is the present.

use std::time::Duration;

use crate::domain::Moment;

/// The latest two readings of one thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatestPair<'a, T> {
    /// The reading before the latest, and the time between the two; `None` while there is only one.
    pub before: Option<(&'a T, Duration)>,
    /// The latest reading.
    pub now: &'a T,
}

/// Retains the latest two readings.
#[derive(Clone, Debug)]
pub(super) struct LatestReadings<T> {
    before: Option<(Moment, T)>,
    pub(super) latest: (Moment, T),
}

impl<T: Clone> LatestReadings<T> {
    /// The first reading.
    pub(super) fn new(at: Moment, reading: &T) -> Self {
        Self {
            before: None,
            latest: (at, reading.clone()),
        }
    }

    pub(super) fn add(&mut self, at: Moment, reading: &T) {
        let before = std::mem::replace(&mut self.latest, (at, reading.clone()));
        self.before = Some(before);
    }

    pub(super) fn pair(&self) -> LatestPair<'_, T> {
        let (at, now) = &self.latest;
        LatestPair {
            before: self.before.as_ref().map(|(then, t)| (t, at.since(*then))),
            now,
        }
    }
}
