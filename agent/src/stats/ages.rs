//! Ages and their quantiles.

use hdrhistogram::{Counter, Histogram};

/// Quantiles of ages, nanoseconds.
///
/// `min_ns` and `max_ns` are exact. A quantile is at most 0.1 % (resends: 1 %) above the exact one
/// and within `min_ns..=max_ns`. In the quantiles an age below zero (clock skew) counts as 0, one
/// above a day as a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgeQuantiles {
    /// 50th percentile.
    pub p50_ns: i64,
    /// 90th percentile.
    pub p90_ns: i64,
    /// 99th percentile.
    pub p99_ns: i64,
    /// 99.9th percentile.
    pub p999_ns: i64,
    /// The smallest age.
    pub min_ns: i64,
    /// The largest age.
    pub max_ns: i64,
}

impl AgeQuantiles {
    /// Those of messages that are all of one age.
    pub(crate) const fn all(age_ns: i64) -> Self {
        Self {
            p50_ns: age_ns,
            p90_ns: age_ns,
            p99_ns: age_ns,
            p999_ns: age_ns,
            min_ns: age_ns,
            max_ns: age_ns,
        }
    }
}

/// The largest age that the histogram distinguishes: one day. It bounds the memory.
const MAX_DISTINGUISHED_NS: u64 = 86_400_000_000_000;

/// A histogram of ages with `DIGITS` significant decimal digits. Its memory grows with the largest
/// age: for three digits, from 16 KiB with all ages below 2 us to 300 KiB at one day (half of that
/// with `u32`).
#[derive(Clone, Debug)]
pub(crate) struct Ages<C: Counter, const DIGITS: u8> {
    histogram: Option<Histogram<C>>,
    count: u64,
    sum_ns: i128,
    min_ns: i64,
    max_ns: i64,
}

impl<C: Counter, const DIGITS: u8> Default for Ages<C, DIGITS> {
    fn default() -> Self {
        Self {
            histogram: None,
            count: 0,
            sum_ns: 0,
            min_ns: i64::MAX,
            max_ns: i64::MIN,
        }
    }
}

impl<C: Counter, const DIGITS: u8> Ages<C, DIGITS> {
    fn histogram(&mut self) -> &mut Histogram<C> {
        self.histogram.get_or_insert_with(|| {
            Histogram::new(DIGITS).expect("a histogram takes 0 to 5 significant digits")
        })
    }

    pub(crate) fn record(&mut self, age_ns: i64) {
        let value = u64::try_from(age_ns).unwrap_or(0).min(MAX_DISTINGUISHED_NS);
        self.histogram()
            .record(value)
            .expect("the histogram grows up to the largest age");
        self.count += 1;
        self.sum_ns += i128::from(age_ns);
        self.min_ns = self.min_ns.min(age_ns);
        self.max_ns = self.max_ns.max(age_ns);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn sum_ns(&self) -> i128 {
        self.sum_ns
    }

    pub(crate) fn quantiles(&self) -> Option<AgeQuantiles> {
        let histogram = self.histogram.as_ref().filter(|h| !h.is_empty())?;
        let at = |quantile| {
            let value = histogram.value_at_quantile(quantile);
            i64::try_from(value)
                .unwrap_or(i64::MAX)
                .clamp(self.min_ns, self.max_ns)
        };
        Some(AgeQuantiles {
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            min_ns: self.min_ns,
            max_ns: self.max_ns,
        })
    }

    /// Empties the histogram. Its memory is reused if it was in use, and freed otherwise.
    pub(crate) fn reset(&mut self) {
        let histogram = self.histogram.take().filter(|_| self.count > 0);
        *self = Self::default();
        self.histogram = histogram.map(|mut h| {
            h.reset();
            h
        });
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        if let Some(histogram) = &other.histogram {
            self.histogram()
                .add(histogram)
                .expect("the histogram grows up to the largest age");
        }
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.histogram
            .as_ref()
            .map_or(0, |h| h.distinct_values() * size_of::<C>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The quantile by its definition: the smallest value that covers the share.
    fn exact(sorted: &[i64], quantile: f64) -> i64 {
        let rank = (quantile * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    fn age() -> impl Strategy<Value = i64> {
        // Every order of magnitude from 1 ns to a day equally often.
        (0_u32..14, 1.0_f64..10.0).prop_map(|(e, m)| {
            let ns = m * 10_f64.powi(e.cast_signed());
            (ns as i64).min(86_400_000_000_000)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn quantiles_are_within_a_thousandth(mut ages in prop::collection::vec(age(), 1..400)) {
            let mut recorded = Ages::<u64, 3>::default();
            for &ns in &ages {
                recorded.record(ns);
            }
            ages.sort_unstable();
            let quantiles = recorded.quantiles().expect("there are ages");
            prop_assert_eq!(quantiles.min_ns, ages[0]);
            prop_assert_eq!(quantiles.max_ns, ages[ages.len() - 1]);
            for (quantile, got) in [
                (0.5, quantiles.p50_ns),
                (0.9, quantiles.p90_ns),
                (0.99, quantiles.p99_ns),
                (0.999, quantiles.p999_ns),
            ] {
                let want = exact(&ages, quantile);
                prop_assert!(
                    (got - want).abs() as f64 <= want as f64 / 1000.0,
                    "quantile {}: {} for {}", quantile, got, want
                );
            }
            prop_assert_eq!(recorded.sum_ns(), ages.iter().map(|&a| i128::from(a)).sum::<i128>());
        }

        #[test]
        fn absorbing_equals_recording_both(
            a in prop::collection::vec(age(), 0..100),
            b in prop::collection::vec(age(), 0..100),
        ) {
            let (mut left, mut right, mut both) =
                (Ages::<u64, 3>::default(), Ages::default(), Ages::<u64, 3>::default());
            for &ns in &a {
                left.record(ns);
            }
            for &ns in &b {
                right.record(ns);
            }
            for &ns in a.iter().chain(&b) {
                both.record(ns);
            }
            left.absorb(&right);
            prop_assert_eq!(left.quantiles(), both.quantiles());
            prop_assert_eq!(left.sum_ns(), both.sum_ns());
        }
    }

    #[test]
    fn negative_ages_stay_exact_outside_of_the_quantiles() {
        let mut ages = Ages::<u64, 3>::default();
        ages.record(-5);
        ages.record(-3);
        let quantiles = ages.quantiles().expect("there are ages");
        assert_eq!(
            (quantiles.min_ns, quantiles.p50_ns, quantiles.max_ns),
            (-5, -3, -3)
        );
        assert_eq!(ages.sum_ns(), -8);
    }

    #[test]
    fn memory_is_bounded_whatever_the_age() {
        let mut total = Ages::<u64, 3>::default();
        let mut interval = Ages::<u32, 3>::default();
        let mut resends = Ages::<u64, 2>::default();
        for ns in [1, 1_000, i64::MAX, i64::MIN] {
            total.record(ns);
            interval.record(ns);
            resends.record(ns);
        }
        let bytes = total.heap_bytes() + interval.heap_bytes() + resends.heap_bytes();
        assert!(bytes <= 512 * 1024, "{bytes} bytes");
    }

    #[test]
    fn an_idle_interval_frees_its_memory() {
        let mut ages = Ages::<u32, 3>::default();
        ages.record(1_000_000);
        ages.reset();
        assert!(ages.heap_bytes() > 0);
        assert_eq!(ages.quantiles(), None);
        ages.reset();
        assert_eq!(ages.heap_bytes(), 0);
    }
}
