//! Counts of durations, fine enough for every histogram of the metrics.
//!
//! Durations are counted by cell. The bounds of the cells are those of all classic and of the
//! exponential histograms together, so that every bucket is a sum of whole cells: all histograms are
//! exact and agree with each other.

use std::sync::LazyLock;

/// Upper bounds of the classic buckets of ages, inclusive, in nanoseconds.
pub(crate) const AGE_BOUNDS_NS: [i64; 20] = [
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
    20_000_000_000,
    30_000_000_000,
    60_000_000_000,
    120_000_000_000,
];

/// Upper bounds of the classic buckets of stages and parts, inclusive, in nanoseconds. They are
/// coarser because there are eleven of these histograms per session.
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

/// The resolution of the exponential buckets: bucket `k` ends at 2^(k / 2^SCHEMA) seconds, 9 %
/// above the one before.
const SCHEMA: i8 = 3;
/// The first bucket ends at 2^-20 s (954 ns): everything up to there counts as zero.
const FIRST_BUCKET: i32 = -20 << SCHEMA;
/// The last bucket ends at 2^17 s (36 hours).
const LAST_BUCKET: i32 = 17 << SCHEMA;
/// The largest number of buckets in an exponential histogram; with more, pairs are merged.
const MAX_BUCKETS: usize = 160;

/// Durations up to this count as zero in exponential histograms, seconds.
pub(crate) const ZERO_THRESHOLD: f64 = 1.0 / (1 << 20) as f64;

/// The upper bound of an exponential bucket, in whole nanoseconds.
fn exponential_bound(k: i32) -> i64 {
    (f64::from(k) / f64::from(1 << SCHEMA))
        .exp2()
        .mul_add(1e9, 0.0)
        .floor() as i64
}

/// The upper bounds of the cells, and the exponential bucket of each cell.
struct Cells {
    bounds_ns: Vec<i64>,
    buckets: Vec<i32>,
}

static CELLS: LazyLock<Cells> = LazyLock::new(|| {
    let exponential: Vec<i64> = (FIRST_BUCKET..=LAST_BUCKET)
        .map(exponential_bound)
        .collect();
    let mut bounds_ns = exponential.clone();
    bounds_ns.extend(AGE_BOUNDS_NS);
    bounds_ns.extend(WAIT_BOUNDS_NS);
    bounds_ns.sort_unstable();
    bounds_ns.dedup();
    let buckets = bounds_ns
        .iter()
        .chain([&i64::MAX])
        .map(|ns| FIRST_BUCKET + exponential.partition_point(|bound| bound < ns) as i32)
        .collect();
    Cells { bounds_ns, buckets }
});

/// Counts of durations by cell. Only the cells from the shortest to the longest take memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DurationCounts {
    first: usize,
    counts: Vec<u64>,
}

/// Counts in exponential buckets, as in native histograms of Prometheus and in OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExponentialCounts {
    /// Bucket `k` ends at 2^(k / 2^schema) seconds, inclusive, and begins at the end of the one
    /// before.
    pub(crate) schema: i8,
    /// Durations of at most [`ZERO_THRESHOLD`].
    pub(crate) zero: u64,
    /// Number of the first bucket; meaningless when there is none.
    pub(crate) first: i32,
    /// The buckets from the first to the last one with a count, at most 160.
    pub(crate) counts: Vec<u64>,
}

impl DurationCounts {
    /// Counts a duration; one below zero counts as zero.
    pub(crate) fn record(&mut self, ns: i64) {
        let cell = CELLS.bounds_ns.partition_point(|&bound| bound < ns);
        *self.cell(cell) += 1;
    }

    fn cell(&mut self, cell: usize) -> &mut u64 {
        if self.counts.is_empty() {
            self.first = cell;
        }
        if cell < self.first {
            let more = self.first - cell;
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = cell;
        }
        let at = cell - self.first;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        &mut self.counts[at]
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (cell, count) in other.nonzero() {
            *self.cell(cell) += count;
        }
    }

    fn nonzero(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let counts = self.counts.iter().enumerate();
        counts.filter_map(|(at, &count)| (count > 0).then_some((self.first + at, count)))
    }

    /// The sum of all counts.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Counts by bucket: at or below each bound and above the one before; the last count is of those
    /// above all bounds. The bounds must be [`AGE_BOUNDS_NS`] or [`WAIT_BOUNDS_NS`].
    pub(crate) fn classic(&self, bounds_ns: &[i64]) -> Vec<u64> {
        let mut counts = vec![0; bounds_ns.len() + 1];
        for (cell, count) in self.nonzero() {
            let end = CELLS.bounds_ns.get(cell).copied().unwrap_or(i64::MAX);
            counts[bounds_ns.partition_point(|&bound| bound < end)] += count;
        }
        counts
    }

    /// Counts in exponential buckets.
    pub(crate) fn exponential(&self) -> ExponentialCounts {
        let mut zero = 0;
        let mut buckets: Vec<(i32, u64)> = Vec::new();
        for (cell, count) in self.nonzero() {
            match CELLS.buckets[cell] {
                FIRST_BUCKET => zero += count,
                bucket => buckets.push((bucket, count)),
            }
        }
        let mut schema = SCHEMA;
        while let (Some(first), Some(last)) = (buckets.first(), buckets.last())
            && last.0 - first.0 >= MAX_BUCKETS as i32
        {
            schema -= 1;
            for (bucket, _) in &mut buckets {
                // Rounded up, because buckets are numbered by their upper bounds.
                *bucket = (*bucket + 1) >> 1;
            }
        }
        let first = buckets.first().map_or(0, |b| b.0);
        let len = buckets.last().map_or(0, |b| (b.0 - first + 1) as usize);
        let mut counts = vec![0; len];
        for (bucket, count) in buckets {
            counts[(bucket - first) as usize] += count;
        }
        ExponentialCounts {
            schema,
            zero,
            first,
            counts,
        }
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(durations: &[i64]) -> DurationCounts {
        let mut counts = DurationCounts::default();
        for &ns in durations {
            counts.record(ns);
        }
        counts
    }

    #[test]
    fn bounds_ascend_and_are_inclusive() {
        assert!(AGE_BOUNDS_NS.is_sorted() && WAIT_BOUNDS_NS.is_sorted());
        let all = [i64::MIN, 0, 100_000, 100_001, 120_000_000_000, i64::MAX];
        let classic = counts(&all).classic(&AGE_BOUNDS_NS);
        assert_eq!((classic[0], classic[1]), (3, 1));
        assert_eq!((classic[19], classic[20]), (1, 1));
        assert_eq!(classic.iter().sum::<u64>(), 6);
    }

    /// The bucket of a duration by the definition of native histograms.
    fn holds(exponential: &ExponentialCounts, k: i32, ns: i64) -> bool {
        let bound = |k: i32| (f64::from(k) / f64::from(exponential.schema).exp2()).exp2() * 1e9;
        (ns as f64) > bound(k - 1) && ns as f64 <= bound(k)
    }

    fn duration() -> impl Strategy<Value = i64> {
        prop_oneof![
            Just(0),
            -10_i64..2_000,
            (0_u32..13, 1.0_f64..10.0).prop_map(|(e, m)| (m * 10_f64.powi(e.cast_signed())) as i64),
            prop::sample::select(AGE_BOUNDS_NS.to_vec()),
            (FIRST_BUCKET..=LAST_BUCKET).prop_map(exponential_bound),
        ]
    }

    proptest! {
        #[test]
        fn both_kinds_of_histogram_are_exact(all in prop::collection::vec(duration(), 0..60)) {
            let counts = counts(&all);
            prop_assert_eq!(counts.total(), all.len() as u64);
            for bounds in [&AGE_BOUNDS_NS[..], &WAIT_BOUNDS_NS] {
                let classic = counts.classic(bounds);
                let mut below = 0;
                for (bound, count) in bounds.iter().zip(&classic) {
                    below += count;
                    prop_assert_eq!(below, all.iter().filter(|&ns| ns <= bound).count() as u64);
                }
            }
            let exponential = counts.exponential();
            let zero = all.iter().filter(|&&ns| ns as f64 <= ZERO_THRESHOLD * 1e9).count();
            prop_assert_eq!(exponential.zero, zero as u64);
            prop_assert!(exponential.counts.len() <= MAX_BUCKETS);
            for (at, &count) in exponential.counts.iter().enumerate() {
                let k = exponential.first + at as i32;
                let held = all.iter().filter(|&&ns| {
                    ns as f64 > ZERO_THRESHOLD * 1e9 && holds(&exponential, k, ns)
                });
                prop_assert_eq!(count, held.count() as u64, "bucket {}", k);
            }
            let sum = exponential.zero + exponential.counts.iter().sum::<u64>();
            prop_assert_eq!(sum, counts.total());
        }

        #[test]
        fn absorbing_equals_recording_both(
            a in prop::collection::vec(duration(), 0..20),
            b in prop::collection::vec(duration(), 0..20),
        ) {
            let mut left = counts(&a);
            left.absorb(&counts(&b));
            let both: Vec<i64> = a.into_iter().chain(b).collect();
            prop_assert_eq!(left.exponential(), counts(&both).exponential());
            prop_assert_eq!(left.classic(&AGE_BOUNDS_NS), counts(&both).classic(&AGE_BOUNDS_NS));
        }
    }

    #[test]
    fn a_wide_histogram_gets_coarser_and_stays_bounded() {
        let wide = counts(&[1_000, 3_600_000_000_000]).exponential();
        assert_eq!((wide.schema, wide.counts.iter().sum::<u64>()), (2, 2));
        let narrow = counts(&[100_000, 90_000_000_000]).exponential();
        assert_eq!(narrow.schema, 3);
    }

    #[test]
    fn memory_is_bounded() {
        let all = counts(&[i64::MIN, i64::MAX]);
        assert!(all.heap_bytes() <= 4096, "{}", all.heap_bytes());
    }
}
