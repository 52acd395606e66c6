//! The cumulative counters of one tracked thread.

use crate::RecordHead;

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
