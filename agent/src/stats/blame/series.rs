//! Which culprits have a time series of their own in the metrics.
//!
//! Their number is bounded, so a culprit is promoted to a series once it matters and can lose it to
//! another one. What counts are recent charges: a charge weighs half after [`HALF_LIFE`].

use std::time::Duration;

use crate::domain::Part;

/// Culprits with a series, per part.
pub(super) const MAX_SERIES: usize = 8;

/// A culprit is promoted when it has this share of the recent time of its part, percent.
const PROMOTION_SHARE_PERCENT: f64 = 5.0;

/// Age at which a charge weighs half.
pub(super) const HALF_LIFE: Duration = Duration::from_mins(10);

/// A culprit displaces another one that has so many times less recent time.
const DISPLACEMENT_RATIO: f64 = 4.0;

/// By how much recent time shrinks as `passed` goes by.
pub(super) fn decay(passed: Duration) -> f64 {
    0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64())
}

/// The series of one culprit of one part.
#[derive(Clone, Debug, Default)]
pub(super) struct CulpritSeries {
    /// Recent charges, weighted, nanoseconds.
    pub(super) recent_ns: f64,
    /// Charges since the promotion, nanoseconds; `None` without a series. Never decreases.
    pub(super) since_promotion_ns: Option<u64>,
}

/// The recent time of every part, and the charges whose series have ended.
#[derive(Clone, Debug, Default)]
pub(super) struct PartSeries {
    /// Recent time, weighted, nanoseconds, by `Part as usize`.
    recent_ns: [f64; Part::ALL.len()],
    /// Charges of culprits that lost their series, nanoseconds, by `Part as usize`.
    ended_ns: [u64; Part::ALL.len()],
}

impl PartSeries {
    /// Adds the time of a part in one message.
    pub(super) fn add(&mut self, part: Part, ns: f64) {
        self.recent_ns[part as usize] += ns;
    }

    pub(super) fn decay(&mut self, by: f64) {
        for recent_ns in &mut self.recent_ns {
            *recent_ns *= by;
        }
    }

    pub(super) const fn ended_ns(&self, part: Part) -> u64 {
        self.ended_ns[part as usize]
    }

    /// Whether a culprit of this part with so much recent time deserves a series.
    pub(super) fn deserves_series(&self, part: Part, recent_ns: f64) -> bool {
        recent_ns * 100.0 >= self.recent_ns[part as usize] * PROMOTION_SHARE_PERCENT
    }

    /// Whether there is room for another series of the part. When there is none, the culprit with
    /// the least recent time loses its series, provided that it is outweighed.
    pub(super) fn make_room<'a>(
        &mut self,
        part: Part,
        recent_ns: f64,
        promoted: impl Iterator<Item = &'a mut CulpritSeries>,
    ) -> bool {
        let mut count = 0;
        let promoted = promoted.inspect(|_| count += 1);
        let least = promoted.min_by(|a, b| a.recent_ns.total_cmp(&b.recent_ns));
        if count < MAX_SERIES {
            return true;
        }
        match least {
            Some(least) if least.recent_ns * DISPLACEMENT_RATIO <= recent_ns => {
                self.ended_ns[part as usize] += least.since_promotion_ns.take().unwrap_or(0);
                true
            }
            _ => false,
        }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        for part in Part::ALL {
            self.recent_ns[part as usize] += other.recent_ns[part as usize];
            self.ended_ns[part as usize] += other.ended_ns[part as usize];
        }
    }
}
