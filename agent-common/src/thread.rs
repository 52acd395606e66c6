//! The cumulative counters of one tracked thread.

use crate::{
    ReaderHistory,
    state::{STATE_COUNT, ThreadState},
    throttle::ThrottleBase,
};

/// How many sockets of one thread can wait for their hand-off at the same time: at most 32, a bit
/// of [`TrackedThread::pending_bits`] each.
pub const MAX_PENDING: usize = 32;

/// [`TrackedThread::is_holder`] of a thread that was there before the agent.
pub const PRESENT: u32 = 2;

/// How long a thread that was there before the agent is tracked without having read, ns: until then
/// the readers of all sessions that are alive have read.
const PRESENT_NS: u64 = 30_000_000_000;

/// A receive call whose messages the thread has not handed off yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingReceive {
    /// Address of the `struct sock`.
    pub sk: u64,
    /// [`crate::TrackedSocket::id`].
    pub socket_id: u64,
    /// The descriptor the thread read it by.
    pub fd: i32,
    /// Always 0.
    pub reserved: u32,
}

/// One tracked thread. Written by the scheduler probes, one writer at a time (the scheduler
/// serialises them per task), read on any CPU under the sequence counter.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct TrackedThread {
    /// Odd while the counters are being written.
    pub seq: u64,
    /// The [`ThreadState`] in progress.
    pub state: u32,
    /// Thread group id, initial PID namespace.
    pub tgid: u32,
    /// When that state began.
    pub since_ns: u64,
    /// Nanoseconds per [`ThreadState`] since the thread is tracked, the one in progress not
    /// included.
    pub state_ns: [u64; STATE_COUNT],

    /// The throttle clock of [`Self::cfs_rq`] when this runnable stretch (or the last migration in
    /// it) began.
    pub throttle_base_ns: u64,
    /// Throttled part of this runnable stretch on run queues it has left.
    pub throttle_moved_ns: u64,
    /// Address of the `cfs_rq` the base was read from; 0 when none was read.
    pub cfs_rq: u64,
    /// `CLOCK_MONOTONIC` minus the run queue's clock, as of the base.
    pub clock_offset_ns: i64,

    /// The futex address of the lock wait in progress, or of the last one.
    pub lock_address: u64,
    /// When that (joined) wait began.
    pub lock_wait_from_ns: u64,
    /// Lock waits that ended; consecutive timed-out waits on one address are one, if the thread did
    /// not release the lock in between.
    pub lock_waits: u64,
    /// The longest of them.
    pub lock_wait_longest_ns: u64,
    /// 1 while a lock wait has not been ended by a release: asleep, or woken by its timer.
    pub lock_wait_open: u32,
    /// The thread whose release ended the last lock wait; 0 before the first.
    pub releaser: u32,
    /// Time asleep in the (joined) lock wait in progress, the present sleep not included.
    pub lock_wait_slept_ns: u64,
    /// One more than the CPU the thread waits for; 0 while it waits for none.
    pub queued_on: u64,
    /// Since when it waits for it.
    pub queued_at_ns: u64,
    /// [`crate::RunQueueWait::first_turn`].
    pub first_turn: u64,
    /// Throttled part of this runnable stretch that is in records about CPUs it has left.
    pub throttle_recorded_ns: u64,

    /// Records about this thread that found the ring buffer full.
    pub lost: u32,
    /// 1 when the lock wait last begun has a timeout and a futex of its process only.
    pub lock_wait_timed: u32,
    /// 0 for a reader. 1 when it is tracked only because it released a lock that a reader waited
    /// for, 2 when it is tracked only because it was there before the agent: its state is of
    /// interest, its own waits get no records.
    pub is_holder: u32,
    /// The process of the thread that took its CPU, when it lost that last; 0 when it has slept
    /// since.
    pub preempted_by: u32,
    /// `task_struct.sched_info.run_delay` when it last went to sleep.
    pub run_delay_ns: u64,
    /// The system call the thread sleeps (or last slept) in; -1 for an exception.
    pub syscall: i64,
    /// Its first argument.
    pub syscall_arg: u64,
    /// Receive calls to be handed off: bit i is set while `pending[i]` is one.
    pub pending_bits: u32,
    /// 1 once a record has asked for the hook on the entry of system calls for this thread.
    pub sys_enter_requested: u32,
    /// See [`Self::pending_bits`].
    pub pending: [PendingReceive; MAX_PENDING],
    /// Its last changes of state. Written by the scheduler probes, read by the thread itself.
    pub history: ReaderHistory,
}

impl TrackedThread {
    /// Whether it is asleep, as far as was observed.
    #[inline(always)]
    #[must_use]
    pub const fn is_asleep(&self) -> bool {
        self.state == ThreadState::LockWait as u32 || self.state == ThreadState::Blocked as u32
    }

    /// Whether it was there before the agent, has not read since, and may be released.
    #[inline(always)]
    #[must_use]
    pub const fn is_released_at(&self, now_ns: u64) -> bool {
        self.is_holder == PRESENT && now_ns > self.history.began_ns + PRESENT_NS
    }

    /// Whether it runs, as far as was observed.
    #[inline(always)]
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.state == ThreadState::OnCpu as u32
    }

    /// Whether it is runnable and waits for a CPU, as far as was observed.
    #[inline(always)]
    #[must_use]
    pub const fn is_queued(&self) -> bool {
        self.state == ThreadState::RunQueue as u32
    }

    /// Where its runnable stretch stands on the throttle clocks.
    #[inline(always)]
    #[must_use]
    pub const fn throttle_base(&self) -> ThrottleBase {
        ThrottleBase {
            cfs_rq: self.cfs_rq,
            base_ns: self.throttle_base_ns,
            moved_ns: self.throttle_moved_ns,
            clock_offset_ns: self.clock_offset_ns,
        }
    }

    /// Sets where its runnable stretch stands on the throttle clocks.
    #[inline(always)]
    pub const fn set_throttle_base(&mut self, base: ThrottleBase) {
        self.cfs_rq = base.cfs_rq;
        self.throttle_base_ns = base.base_ns;
        self.clock_offset_ns = base.clock_offset_ns;
        self.throttle_moved_ns = base.moved_ns;
    }
}

/// Whether a sequence counter says that a writer is at work. It is odd from the beginning of a
/// write to its end.
#[inline(always)]
#[must_use]
pub const fn is_being_written(seq: u64) -> bool {
    seq & 1 != 0
}

/// Whether what was read between two values of the sequence counter is of one piece.
#[inline(always)]
#[must_use]
pub const fn is_consistent(before: u64, after: u64) -> bool {
    !is_being_written(before) && before == after
}

const _: () = assert!(
    size_of::<TrackedThread>()
        == 8 + 8
            + 8
            + 8 * STATE_COUNT
            + 4 * 8
            + 4 * 8
            + 4 * 4
            + 4 * 8
            + 8
            + 5 * 8
            + 24 * MAX_PENDING
            + size_of::<ReaderHistory>()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_across_a_write_is_torn() {
        assert!(is_consistent(4, 4));
        assert!(!is_consistent(4, 5) && !is_consistent(4, 6) && !is_consistent(5, 5));
    }

    #[test]
    fn a_thread_does_one_thing_at_a_time() {
        let mut thread = TrackedThread::default();
        let states = [
            (ThreadState::OnCpu, (true, false, false)),
            (ThreadState::RunQueue, (false, true, false)),
            (ThreadState::LockWait, (false, false, true)),
            (ThreadState::Blocked, (false, false, true)),
        ];
        for (state, expected) in states {
            thread.state = state as u32;
            let is = (thread.is_running(), thread.is_queued(), thread.is_asleep());
            assert_eq!(is, expected, "{state:?}");
        }
    }
}
