//! The CPU request of a container, from the shares or the weight of its cgroup.
//!
//! The kubelet turns a request into v1's shares (`millis * 1024 / 1000`, at least 2), and the
//! runtime turns these into v2's weight. There are two formulas for the latter: a line through the
//! ends of both ranges (runc before 1.3.2, crun before 1.23), and since then a curve that also maps
//! the defaults onto each other (1024 shares, weight 100;
//! <https://github.com/opencontainers/cgroups/pull/20>). One weight can come from two requests, a
//! factor of two and more apart, and the weight does not say which. The container's limit may rule
//! out one of them; otherwise the result is a range with both.

use std::ops::RangeInclusive;

/// The range of shares, by the kernel's and the kubelet's limits.
const SHARES: RangeInclusive<u64> = 2..=262_144;

/// The request for which the kubelet sets these shares, thousandths of a CPU; `None`: no request.
pub(in crate::host) const fn millis_of_shares(shares: u64) -> Option<u64> {
    if shares <= *SHARES.start() {
        None
    } else {
        Some((shares * 1000).div_ceil(1024))
    }
}

/// The least and the greatest request that leads to a weight of v2, thousandths of a CPU, with the
/// limit if there is one; `None`: no request, or none leads to it.
pub(in crate::host) fn millis_of_weight(weight: u64, limit: Option<u64>) -> Option<(u64, u64)> {
    let mut all = None;
    for formula in [line, curve] {
        let shares = shares_of(weight, formula);
        let millis = (
            shares.and_then(|(least, _)| millis_of_shares(least)),
            shares.and_then(|(_, most)| millis_of_shares(most)),
        );
        let (from, to) = match millis {
            (Some(from), Some(to)) => (from, to),
            (None, Some(to)) => (1, to),
            _ => continue,
        };
        // A request is at most the limit.
        let to = to.min(limit.unwrap_or(u64::MAX));
        if from <= to {
            let (least, most) = all.unwrap_or((from, to));
            all = Some((from.min(least), to.max(most)));
        }
    }
    all.filter(|_| weight > 1)
}

/// The least and the greatest shares with this weight.
fn shares_of(weight: u64, formula: fn(u64) -> u64) -> Option<(u64, u64)> {
    // A binary search: both formulas rise.
    let first = |is_reached: &dyn Fn(u64) -> bool| {
        let (mut low, mut high) = (*SHARES.start(), *SHARES.end() + 1);
        while low < high {
            let middle = low.midpoint(high);
            if is_reached(formula(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    };
    let (least, beyond) = (first(&|w| w >= weight), first(&|w| w > weight));
    (least < beyond).then(|| (least, beyond - 1))
}

/// `1 + (shares - 2) * 9999 / 262142`
const fn line(shares: u64) -> u64 {
    1 + (shares - 2) * 9999 / 262_142
}

/// `10 ^ ((l^2 + 125 l) / 612 - 7/34)`, rounded up, where `l` is the binary logarithm of the
/// shares.
fn curve(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        _ => {
            let l = (shares as f64).log2();
            let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
            10_f64.powf(exponent).ceil() as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares that the kubelet sets for a request.
    fn shares(millis: u64) -> u64 {
        (millis * 1024 / 1000).max(2)
    }

    #[test]
    fn the_formulas_are_those_of_the_runtimes() {
        // As observed with runc 1.3.1 and 1.4.0-rc.1 (opencontainers/runc #4896, #4772).
        assert_eq!((line(2000), curve(2000)), (77, 170));
        assert_eq!((line(1024), curve(1024)), (39, 100));
        assert_eq!((line(2), curve(2)), (1, 1));
        assert_eq!((line(262_144), curve(262_144)), (10_000, 10_000));
    }

    #[test]
    fn shares_give_the_request_exactly() {
        for millis in 2..=64_000 {
            assert_eq!(millis_of_shares(shares(millis)).unwrap_or(2), millis);
        }
        assert_eq!(millis_of_shares(2), None);
        assert_eq!(millis_of_shares(0), None);
    }

    #[test]
    fn a_weight_gives_a_range_that_contains_the_request() {
        for millis in (10..=64_000).step_by(5) {
            for formula in [line, curve] {
                let weight = formula(shares(millis));
                let range = millis_of_weight(weight, None);
                // A few shares have the weight of none at all.
                let Some((from, to)) = range else {
                    assert_eq!(weight, 1, "{millis}");
                    continue;
                };
                assert!((from..=to).contains(&millis), "{millis}: {from} to {to}");
            }
        }
    }

    #[test]
    fn a_limit_rules_out_what_is_above_it() {
        // 1000m by the curve, about 2540m by the line.
        let (from, to) = millis_of_weight(100, None).expect("a range");
        assert!(from <= 1000 && to > 2500, "{from} to {to}");
        let (from, to) = millis_of_weight(100, Some(1000)).expect("a range");
        assert!(from > 980 && to == 1000, "{from} to {to}");
        assert_eq!(millis_of_weight(100, Some(100)), None);
    }

    #[test]
    fn any_weight_is_handled() {
        for weight in [0, 1, 10_001, u64::MAX] {
            assert_eq!(millis_of_weight(weight, None), None);
        }
        assert!(millis_of_weight(10_000, None).is_some());
    }
}
