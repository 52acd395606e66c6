//! What a thread is doing, and charging time to it.

/// What a thread is doing; at every instant exactly one of these.
///
/// The discriminants index [`TrackedThread::state_ns`] and [`crate::Snapshot::state_ns`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// Running.
    OnCpu = 0,
    /// Runnable and not running, while its quotas left CPU time.
    RunQueue = 1,
    /// Runnable and not running, while its own or an ancestor cgroup's quota was used up. A thread
    /// is never *in* this state: the share is cut out of [`ThreadState::RunQueue`] when the wait is
    /// charged.
    Throttle = 2,
    /// Asleep in futex(2).
    LockWait = 3,
    /// Asleep in anything else.
    Blocked = 4,
    /// A change of state was not observed, and the scheduler's own account does not have it either.
    /// A thread is never *in* this state: the time is charged once the gap is found.
    Unknown = 5,
}

/// How many [`ThreadState`]s there are.
pub const STATE_COUNT: usize = 6;

/// Adds a stretch of `passed_ns` in `state` to counters; `throttled_ns` of a wait for the CPU, at
/// most all of it, counts as [`ThreadState::Throttle`].
#[inline(always)]
pub const fn add_stretch(
    state_ns: &mut [u64; STATE_COUNT],
    state: u32,
    passed_ns: u64,
    throttled_ns: u64,
) {
    // Constant indices: the verifier takes no others.
    match state {
        0 => state_ns[0] += passed_ns,
        1 => {
            state_ns[1] += passed_ns - throttled_ns;
            state_ns[2] += throttled_ns;
        }
        3 => state_ns[3] += passed_ns,
        _ => state_ns[4] += passed_ns,
    }
}

/// The throttled part of a stretch, of which `throttled_ns` were read from the clock: at most all
/// of it.
#[inline(always)]
#[must_use]
pub const fn clamp_throttled(throttled_ns: u64, passed_ns: u64) -> u64 {
    if throttled_ns > passed_ns {
        passed_ns
    } else {
        throttled_ns
    }
}

/// Whether more throttled time was read than the stretch was long, by more than what the rates of
/// the two clocks make up.
#[inline(always)]
#[must_use]
pub const fn is_throttle_excess(throttled_ns: u64, passed_ns: u64) -> bool {
    const CLOCK_RATE_SLACK_NS: u64 = 1_000;
    throttled_ns > passed_ns + CLOCK_RATE_SLACK_NS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_microsecond_over_is_the_clocks() {
        assert_eq!(clamp_throttled(5, 7), 5);
        assert_eq!(clamp_throttled(8, 7), 7);
        assert!(!is_throttle_excess(1_007, 7));
        assert!(is_throttle_excess(1_008, 7));
    }

    proptest! {
        #[test]
        fn a_stretch_is_added_once(state in 0u32..6, passed in 0u64..1 << 40, read in 0u64..1 << 40) {
            let mut ns = [0; STATE_COUNT];
            let throttled = clamp_throttled(read, passed);
            add_stretch(&mut ns, state, passed, throttled);
            prop_assert_eq!(ns.iter().sum::<u64>(), passed);
            if state == ThreadState::RunQueue as u32 {
                prop_assert_eq!(ns[ThreadState::Throttle as usize], throttled);
            } else {
                prop_assert_eq!(ns[ThreadState::Throttle as usize], 0);
            }
        }
    }
}
