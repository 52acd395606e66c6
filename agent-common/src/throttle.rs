//! The throttle clock of a `cfs_rq`: how long a cgroup's quota kept it from its CPU.

/// The throttle clock of one `cfs_rq`, read once. Which kernel fields it comes from is in
/// `agent-ebpf/src/cfs_rq.rs`.
#[derive(Clone, Copy, Debug)]
pub struct ThrottleReading {
    /// Throttled so far, the stretch in progress not included, ns.
    pub total_ns: u64,
    /// Start of the stretch in progress on the run queue's clock; 0 when there is none.
    pub start_ns: u64,
    /// The run queue's clock.
    pub now_ns: u64,
}

impl ThrottleReading {
    /// Throttled time as of the run queue's own clock, ns.
    #[inline(always)]
    #[must_use]
    pub const fn value_ns(&self) -> u64 {
        self.value_at(self.now_ns)
    }

    /// Throttled time as of an instant on the run queue's clock, ns.
    #[inline(always)]
    #[must_use]
    pub const fn value_at(&self, now_ns: u64) -> u64 {
        if self.start_ns != 0 && now_ns > self.start_ns {
            self.total_ns + (now_ns - self.start_ns)
        } else {
            self.total_ns
        }
    }
}

/// Where a runnable stretch stands on the throttle clocks of the run queues it was on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThrottleBase {
    /// Address of the `cfs_rq` it is on; 0 when its clock was not read.
    pub cfs_rq: u64,
    /// That queue's clock when the stretch came to it, ns.
    pub base_ns: u64,
    /// Throttled part of the stretch on queues it has left, ns.
    pub moved_ns: u64,
    /// `CLOCK_MONOTONIC` minus the run queue's clock, as of the base.
    pub clock_offset_ns: i64,
}

impl ThrottleBase {
    /// Throttled part of the stretch as of the reading, ns.
    #[inline(always)]
    #[must_use]
    pub const fn throttled_ns(&self, reading: &ThrottleReading) -> u64 {
        self.moved_ns + reading.value_ns().saturating_sub(self.base_ns)
    }

    /// Throttled part of the stretch as of an instant on `CLOCK_MONOTONIC`, ns: the run queue's
    /// clock stands still while nothing happens on it, so the instant is carried over to it.
    #[inline(always)]
    #[must_use]
    pub const fn throttled_at(&self, reading: &ThrottleReading, at_ns: u64) -> u64 {
        let now_ns = at_ns.wrapping_sub(self.clock_offset_ns as u64);
        self.moved_ns + reading.value_at(now_ns).saturating_sub(self.base_ns)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn reading(total_ns: u64, start_ns: u64, now_ns: u64) -> ThrottleReading {
        ThrottleReading {
            total_ns,
            start_ns,
            now_ns,
        }
    }

    #[test]
    fn a_stretch_in_progress_counts_up_to_now() {
        assert_eq!(reading(100, 0, 900).value_ns(), 100);
        assert_eq!(reading(100, 400, 900).value_ns(), 600);
        // The clock was read before the start was set.
        assert_eq!(reading(100, 901, 900).value_ns(), 100);
    }

    #[test]
    fn a_clock_that_was_reset_is_no_time() {
        let base = ThrottleBase {
            base_ns: 500,
            moved_ns: 7,
            ..ThrottleBase::default()
        };
        assert_eq!(base.throttled_ns(&reading(100, 0, 900)), 7);
        assert_eq!(base.throttled_at(&reading(100, 0, 900), 900), 7);
    }

    proptest! {
        /// The throttled part of a stretch is the overlap with the throttled time.
        #[test]
        fn throttled_time_is_the_overlap(
            total in 0u64..1 << 40, throttled in 0u64..1 << 30, before in 0u64..1 << 30,
            now in 1u64 << 31..1 << 40, offset in -1i64 << 30..1 << 40, moved in 0u64..1 << 40,
        ) {
            // Throttled from `start` on; the runnable stretch began `before` ago.
            let start = now - throttled;
            let at_begin = reading(total, start, now - before).value_ns();
            let base = ThrottleBase {
                cfs_rq: 1,
                base_ns: at_begin,
                moved_ns: moved,
                clock_offset_ns: offset,
            };
            let expected = moved + before.min(throttled);
            prop_assert_eq!(base.throttled_ns(&reading(total, start, now)), expected);
            // As of the same instant on the other clock, from a reading that is older.
            let at = now.wrapping_add(offset as u64);
            prop_assert_eq!(base.throttled_at(&reading(total, start, now - before), at), expected);
        }
    }
}
