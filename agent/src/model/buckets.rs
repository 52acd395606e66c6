//! Counts in fixed buckets, for the metrics.

/// Upper bounds of the buckets of ages, inclusive, in nanoseconds.
pub(crate) const AGE_BOUNDS_NS: [i64; 19] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    25_000_000_000,
    60_000_000_000,
    120_000_000_000,
];

/// Upper bounds of the buckets of stages and parts: coarser, as there are eleven of these
/// histograms per session.
pub(crate) const WAIT_BOUNDS_NS: [i64; 9] = [
    100_000,
    1_000_000,
    5_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    60_000_000_000,
    120_000_000_000,
];

/// How many values fell at or below each bound; the last count is of those above all bounds.
#[derive(Clone, Debug)]
pub(crate) struct Buckets<const N: usize> {
    bounds_ns: &'static [i64],
    counts: [u64; N],
}

/// Buckets of ages.
pub(crate) type AgeBuckets = Buckets<20>;
/// Buckets of a stage's or a part's share of an age.
pub(crate) type WaitBuckets = Buckets<10>;

impl Default for AgeBuckets {
    fn default() -> Self {
        Self {
            bounds_ns: &AGE_BOUNDS_NS,
            counts: [0; 20],
        }
    }
}

impl Default for WaitBuckets {
    fn default() -> Self {
        Self {
            bounds_ns: &WAIT_BOUNDS_NS,
            counts: [0; 10],
        }
    }
}

impl<const N: usize> Buckets<N> {
    pub(super) fn record(&mut self, ns: i64) {
        let bucket = self.bounds_ns.partition_point(|&bound| bound < ns);
        self.counts[bucket] += 1;
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// Upper bound in seconds (the last is infinite) and count, not cumulative.
    pub(crate) fn seconds(&self) -> [(f64, u64); N] {
        std::array::from_fn(|i| {
            let bound = self
                .bounds_ns
                .get(i)
                .map_or(f64::INFINITY, |&ns| ns as f64 / 1e9);
            (bound, self.counts[i])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_ascend_and_are_inclusive() {
        assert!(AGE_BOUNDS_NS.is_sorted() && WAIT_BOUNDS_NS.is_sorted());
        let mut buckets = AgeBuckets::default();
        for ns in [i64::MIN, 0, 100_000, 100_001, 120_000_000_000, i64::MAX] {
            buckets.record(ns);
        }
        let seconds = buckets.seconds();
        assert_eq!(seconds[0], (0.0001, 3));
        assert_eq!(seconds[1], (0.00025, 1));
        assert_eq!(seconds[18], (120.0, 1));
        assert_eq!(seconds[19], (f64::INFINITY, 1));
        assert_eq!(seconds.iter().map(|&(_, count)| count).sum::<u64>(), 6);
    }
}
