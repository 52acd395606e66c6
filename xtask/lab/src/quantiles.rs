//! Quantiles by nearest rank.

/// Quantiles of a set of values in nanoseconds; all zero when it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Quantiles {
    /// Half are not above it.
    pub p50_ns: i64,
    /// 99 of 100 are not above it.
    pub p99_ns: i64,
    /// None is above it.
    pub max_ns: i64,
}

impl Quantiles {
    /// Computes the quantiles of `values`, nanoseconds.
    pub fn of(values: impl IntoIterator<Item = i64>) -> Self {
        let mut sorted: Vec<i64> = values.into_iter().collect();
        sorted.sort_unstable();
        let rank = |per_cent: usize| {
            let index = (sorted.len() * per_cent).div_ceil(100).saturating_sub(1);
            sorted.get(index).copied().unwrap_or(0)
        };
        Self {
            p50_ns: rank(50),
            p99_ns: rank(99),
            max_ns: rank(100),
        }
    }

    /// Computes the quantiles of the sizes of `differences`, whatever their signs.
    pub fn of_errors(differences: impl IntoIterator<Item = i64>) -> Self {
        Self::of(differences.into_iter().map(i64::abs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Quantiles = Quantiles {
        p50_ns: 500,
        p99_ns: 990,
        max_ns: 1000,
    };

    #[test]
    fn quantiles_are_by_nearest_rank() {
        assert_eq!(Quantiles::of((1..=1000).rev()), EXPECTED);
        assert_eq!(Quantiles::of([]), Quantiles::default());
    }

    #[test]
    fn the_sign_of_an_error_does_not_matter() {
        let errors = Quantiles::of_errors((1..=1000).map(|n| if n % 2 == 0 { n } else { -n }));
        assert_eq!(errors, EXPECTED);
        assert_eq!(Quantiles::of_errors([]), Quantiles::default());
    }
}
