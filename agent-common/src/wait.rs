//! Waits of tracked threads, one record each when they are over, so that they can be charged to
//! somebody.

use crate::RecordHead;

/// Shorter waits get no record, ns; they are in the thread's counters all the same.
pub const MIN_RECORDED_WAIT_NS: u64 = 20_000;

/// Turns of a CPU in one record; a power of two.
pub const TURNS_PER_BLOCK: usize = 16;

/// One sleep of a lock wait, or a blocking call, is over.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SleepEnded {
    /// The head; no socket, and losses are not counted.
    pub head: RecordHead,
    /// The thread that slept.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// [`crate::ThreadState::LockWait`] or [`crate::ThreadState::Blocked`].
    pub state: u32,
    /// Lock wait: 1 when the wait goes on with another sleep, because a timer ended this one. The
    /// last sleep of a wait can have no length: then the wait was over before a release of the lock
    /// was observed.
    pub goes_on: u32,
    /// When the sleep began.
    pub from_ns: u64,
    /// When it was over.
    pub to_ns: u64,
    /// Lock wait: the futex address. Blocked: the system call's number, -1 for an exception.
    pub object: u64,
    /// Blocked: the system call's first argument.
    pub syscall_arg: u64,
    /// Lock wait: the thread that released the lock; 0 when the sleep ended otherwise.
    pub releaser: u32,
    /// Its process.
    pub releaser_tgid: u32,
}

/// A turn: the time that one thread had a CPU, until the switch that ended it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTurn {
    /// The thread; 0 is the idle one.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// When it left the CPU.
    pub until_ns: u64,
    /// How long the run queue [`Self::cfs_rq_low`] was throttled during the turn, `u32::MAX` at the
    /// most.
    pub throttled_ns: u32,
    /// Low bits of the address of the `cfs_rq` that [`Self::throttled_ns`] is of; 0 when that is
    /// unknown.
    pub cfs_rq_low: u32,
}

/// A wait for a CPU that is over, or goes on on another CPU, and the turns of that CPU.
///
/// A record holds only as many [`Self::turns`] as are in no other record yet: those behind the last
/// full block. A full block has a record of its own, written as soon as the block is full, in which
/// only the fields about the CPU are filled in ([`crate::RecordKind::CpuTurns`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RunQueueWait {
    /// The head; no socket, and losses are not counted.
    pub head: RecordHead,
    /// The thread that waited.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// The [`crate::ThreadState`] in which it became runnable: asleep, or on the CPU when it was
    /// preempted.
    pub state_before: u32,
    /// The CPU.
    pub cpu: u32,
    /// When it became runnable, or came to this CPU.
    pub from_ns: u64,
    /// When it got the CPU, or left its queue for another.
    pub to_ns: u64,
    /// Of that time, the throttled part.
    pub throttled_ns: u64,
    /// Turns of this CPU counted before the wait began.
    pub first_turn: u64,
    /// Turns of this CPU counted up to now: turn `i` is in `turns[i % TURNS_PER_BLOCK]` of the
    /// block `i / TURNS_PER_BLOCK`.
    pub next_turn: u64,
    /// Low bits of the address of the thread's `cfs_rq`, as in [`CpuTurn::cfs_rq_low`].
    pub cfs_rq_low: u32,
    /// The thread that has the CPU now, when the wait goes on on another; 0 when it is over.
    pub current_tid: u32,
    /// Its process.
    pub current_tgid: u32,
    /// Always 0.
    pub reserved: u32,
    /// The turns of this CPU in the block that is not full yet, during which a tracked thread
    /// waited.
    pub turns: [CpuTurn; TURNS_PER_BLOCK],
}

/// One CPU and the tracked threads that wait for it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuQueue {
    /// Tracked threads that wait for this CPU. Changed by any CPU, atomically.
    pub waiters: u64,
    /// Address of the `cfs_rq` of the thread that began to wait last. Written by any CPU.
    pub last_waiter_cfs_rq: u64,
    /// 1 when a thread began to wait since the last switch. Set by any CPU.
    pub waiter_is_new: u64,
    /// The `cfs_rq` whose throttle clock was read at the last switch.
    pub clock_cfs_rq: u64,
    /// The value of that clock.
    pub clock_ns: u64,
    /// The last turns; sent as it is. Written on this CPU only, by the switch itself.
    pub log: RunQueueWait,
}

impl RunQueueWait {
    /// The bytes of a record with this many turns, at most [`TURNS_PER_BLOCK`].
    #[inline(always)]
    #[must_use]
    pub const fn record_bytes(turns: u64) -> u64 {
        const TURN: u64 = size_of::<CpuTurn>() as u64;
        const WITHOUT: u64 = size_of::<RunQueueWait>() as u64 - TURNS_PER_BLOCK as u64 * TURN;
        WITHOUT + turns * TURN
    }
}

/// Where turn number `turn` of a CPU is in its block.
#[inline(always)]
#[must_use]
pub const fn place_in_block(turn: u64) -> usize {
    turn as usize % TURNS_PER_BLOCK
}

/// Whether a turn lies in the same block as another.
#[inline(always)]
#[must_use]
pub const fn in_one_block(turn: u64, other: u64) -> bool {
    turn / TURNS_PER_BLOCK as u64 == other / TURNS_PER_BLOCK as u64
}

/// A time in the 32 bits of [`CpuTurn::throttled_ns`], ns.
#[inline(always)]
#[must_use]
pub const fn saturate(ns: u64) -> u32 {
    let max = u32::MAX as u64;
    (if ns < max { ns } else { max }) as u32
}

/// Whether a wait is long enough for a record of its own.
#[inline(always)]
#[must_use]
pub const fn is_recorded(from_ns: u64, to_ns: u64) -> bool {
    to_ns >= from_ns + MIN_RECORDED_WAIT_NS
}

const _: () = {
    assert!(size_of::<SleepEnded>() == 16 + 16 + 4 * 8 + 8);
    assert!(size_of::<CpuTurn>() == 24);
    assert!(size_of::<RunQueueWait>() == 16 + 16 + 5 * 8 + 16 + 24 * TURNS_PER_BLOCK);
    assert!(size_of::<CpuQueue>() == 5 * 8 + size_of::<RunQueueWait>());
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_below_the_threshold_get_no_record() {
        assert!(!is_recorded(1_000, 20_999));
        assert!(is_recorded(1_000, 21_000));
        // The clocks of two CPUs may disagree.
        assert!(!is_recorded(1_000, 0));
    }

    #[test]
    fn a_long_time_is_the_longest_that_fits() {
        assert_eq!(saturate(5), 5);
        assert_eq!(saturate(u64::from(u32::MAX) + 1), u32::MAX);
    }

    proptest! {
        #[test]
        fn a_record_ends_behind_its_last_turn(turns in 0u64..=16) {
            let bytes = RunQueueWait::record_bytes(turns);
            let expected = core::mem::offset_of!(RunQueueWait, turns) as u64 + turns * 24;
            prop_assert_eq!(bytes, expected);
        }

        #[test]
        fn turns_of_one_block_have_a_place_each(turn in 0u64..u64::MAX - 16, more in 1u64..16) {
            let other = turn + more;
            prop_assert_ne!(place_in_block(turn), place_in_block(other));
            prop_assert_eq!(in_one_block(turn, other), place_in_block(turn) < place_in_block(other));
        }
    }
}
