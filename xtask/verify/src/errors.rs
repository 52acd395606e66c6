//! Quantiles of errors.

/// Quantiles of a set of values in nanoseconds; all zero when it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ErrorQuantiles {
    /// Half are not above it.
    pub p50_ns: i64,
    /// 99 of 100 are not above it.
    pub p99_ns: i64,
    /// None is above it.
    pub max_ns: i64,
}

impl ErrorQuantiles {
    /// Computes the quantiles of the absolute differences, by nearest rank.
    pub fn of(differences: impl IntoIterator<Item = i64>) -> Self {
        let mut sizes: Vec<i64> = differences.into_iter().map(i64::abs).collect();
        sizes.sort_unstable();
        let rank = |per_cent: usize| {
            let index = (sizes.len() * per_cent).div_ceil(100).saturating_sub(1);
            sizes.get(index).copied().unwrap_or(0)
        };
        Self {
            p50_ns: rank(50),
            p99_ns: rank(99),
            max_ns: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_does_not_matter() {
        let errors = ErrorQuantiles::of((1..=1000).map(|n| if n % 2 == 0 { n } else { -n }));
        assert_eq!(
            errors,
            ErrorQuantiles {
                p50_ns: 500,
                p99_ns: 990,
                max_ns: 1000
            }
        );
        assert_eq!(ErrorQuantiles::of([]), ErrorQuantiles::default());
    }
}
