//! The cumulative counters of one tracked thread.

use crate::{RecordHead, throttle::ThrottleBase};

/// What a thread is doing; at every instant exactly one of these.
///
/// The discriminants index [`TrackedThread::state_ns`] and [`crate::Snapshot::state_ns`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// Running.
    OnCpu = 0,
    /// Runnable and not running, CPU time not withheld.
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

/// How many sockets of one thread can wait for their hand-off at the same time: at most 32, a bit
/// of [`TrackedThread::pending_bits`] each.
pub const MAX_PENDING: usize = 32;

/// Changes of state in the history of one thread; a power of two.
pub const HISTORY_CHANGES: usize = 16;

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

/// The end of a stretch that a thread spent in one state.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct StateChange {
    /// When it ended; the next one began there.
    pub at_ns: u64,
    /// The throttled part of it, ns, times 8, plus the [`ThreadState`] it was spent in.
    pub packed: u64,
}

impl StateChange {
    /// The end, at `at_ns`, of a stretch in `state`, `throttled_ns` of it withheld.
    #[must_use]
    #[inline(always)]
    pub const fn new(at_ns: u64, state: u32, throttled_ns: u64) -> Self {
        Self {
            at_ns,
            packed: throttled_ns << 3 | (state & 7) as u64,
        }
    }

    /// The number of the [`ThreadState`].
    #[must_use]
    #[inline(always)]
    pub const fn state(&self) -> u32 {
        (self.packed & 7) as u32
    }

    /// The throttled part, ns.
    #[must_use]
    pub const fn throttled_ns(&self) -> u64 {
        self.packed >> 3
    }
}

/// The last changes of state of a thread; sent as it is when a socket gets a new reader, because
/// the arrivals so far carry no snapshots of that thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ReaderHistory {
    /// The head.
    pub head: RecordHead,
    /// The thread.
    pub tid: u32,
    /// Changes so far, modulo 2^32; this number modulo [`HISTORY_CHANGES`] is where the next one
    /// goes.
    pub next: u32,
    /// The last changes; `at_ns` is 0 in those that were never written. The first of all ends no
    /// stretch: it is when tracking began.
    pub changes: [StateChange; HISTORY_CHANGES],
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
    /// 1 when it is tracked only because it released a lock that a reader waited for: its state is
    /// of interest, its own waits get no records.
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

impl ReaderHistory {
    /// Appends the end, at `at_ns`, of a stretch in `state`, `throttled_ns` of it withheld.
    #[inline(always)]
    pub const fn push(&mut self, at_ns: u64, state: u32, throttled_ns: u64) {
        let next = self.next;
        self.changes[next as usize % HISTORY_CHANGES] =
            StateChange::new(at_ns, state, throttled_ns);
        self.next = next.wrapping_add(1);
    }

    /// The state of the stretch that ended `ago` changes ago; the last one is 1 ago.
    #[inline(always)]
    #[must_use]
    pub const fn state_before(&self, ago: u32) -> u32 {
        self.changes[self.next.wrapping_sub(ago) as usize % HISTORY_CHANGES].state()
    }
}

impl TrackedThread {
    /// Whether it is asleep, as far as was observed.
    #[inline(always)]
    #[must_use]
    pub const fn is_asleep(&self) -> bool {
        self.state == ThreadState::LockWait as u32 || self.state == ThreadState::Blocked as u32
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

const _: () = assert!(size_of::<ReaderHistory>() == 16 + 8 + 16 * HISTORY_CHANGES);
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
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_read_across_a_write_is_torn() {
        assert!(is_consistent(4, 4));
        assert!(!is_consistent(4, 5) && !is_consistent(4, 6) && !is_consistent(5, 5));
    }

    #[test]
    fn a_microsecond_over_is_the_clocks() {
        assert_eq!(clamp_throttled(5, 7), 5);
        assert_eq!(clamp_throttled(8, 7), 7);
        assert!(!is_throttle_excess(1_007, 7));
        assert!(is_throttle_excess(1_008, 7));
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

    proptest! {
        #[test]
        fn a_change_holds_its_state_and_throttled_time(at: u64, state in 0u32..6, throttled in 0u64..1 << 61) {
            let change = StateChange::new(at, state, throttled);
            prop_assert_eq!((change.at_ns, change.state(), change.throttled_ns()), (at, state, throttled));
        }

        #[test]
        fn a_history_holds_the_last_changes(states in prop::collection::vec(0u32..6, 1..50), next: u32) {
            let mut history = ReaderHistory { next, ..ReaderHistory::default() };
            for (at, &state) in states.iter().enumerate() {
                history.push(at as u64, state, 0);
            }
            let held = states.len().min(HISTORY_CHANGES);
            let back: Vec<_> = (1..=held as u32).map(|ago| history.state_before(ago)).collect();
            let expected: Vec<_> = states.iter().rev().take(held).copied().collect();
            prop_assert_eq!(back, expected);
        }

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
