//! Instants from the scheduler's own account of a task (`struct sched_info`), whose clock is the run
//! queue's.

/// How far the offset of the two clocks may be off, ns; an instant further away is of another time.
const UNCERTAINTY_NS: u64 = 1_000_000;

/// What `CLOCK_MONOTONIC` is ahead of a run queue's clock, ns, given the offset read now and the one
/// read before (0: none). Readings come late, never early, because the run queue's clock stands still in
/// between: the smaller one is the better one.
#[inline(always)]
#[must_use]
pub const fn best_offset_ns(now: i64, before: i64) -> i64 {
    if before != 0 && before < now {
        before
    } else {
        now
    }
}

/// An instant that must lie between two others, give or take the uncertainty of the clocks: moved
/// between them; `None` when it is of another time.
#[inline(always)]
#[must_use]
pub const fn within(from_ns: u64, at_ns: u64, to_ns: u64) -> Option<u64> {
    if at_ns + UNCERTAINTY_NS < from_ns || at_ns > to_ns + UNCERTAINTY_NS {
        return None;
    }
    if at_ns < from_ns {
        return Some(from_ns);
    }
    Some(if at_ns > to_ns { to_ns } else { at_ns })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smaller_offset_is_used_once_there_is_one() {
        assert_eq!(best_offset_ns(70, 0), 70);
        assert_eq!(best_offset_ns(70, 60), 60);
        assert_eq!(best_offset_ns(70, 80), 70);
        assert_eq!(best_offset_ns(-5, -9), -9);
    }

    #[test]
    fn an_instant_of_another_time_is_none() {
        let (from, to) = (10_000_000, 20_000_000);
        assert_eq!(within(from, 9_000_000, to), Some(from));
        assert_eq!(within(from, 8_999_999, to), None);
        assert_eq!(within(from, 21_000_000, to), Some(to));
        assert_eq!(within(from, 21_000_001, to), None);
    }

    proptest! {
        #[test]
        fn what_is_given_lies_between(from in 0u64..1 << 50, length in 0u64..1 << 40, at in 0u64..1 << 51) {
            let to = from + length;
            match within(from, at, to) {
                Some(given) => {
                    prop_assert!(given >= from && given <= to);
                    prop_assert!(given.abs_diff(at) <= UNCERTAINTY_NS);
                }
                None => prop_assert!(at < from || at > to),
            }
        }
    }
}
