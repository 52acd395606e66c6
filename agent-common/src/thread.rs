//! The cumulative counters of one tracked thread.

use crate::Head;

/// What a thread is doing; at every instant exactly one of these.
///
/// The discriminants index [`Thread::ns`] and [`crate::Snapshot::ns`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Running.
    OnCpu = 0,
    /// Runnable and not running, CPU time not withheld.
    RunQueue = 1,
    /// Runnable and not running, while its own or an ancestor cgroup's quota was used up. A thread
    /// is never *in* this state: the share is cut out of [`State::RunQueue`] when the wait is
    /// charged.
    Throttle = 2,
    /// Asleep in futex(2).
    LockWait = 3,
    /// Asleep in anything else.
    Blocked = 4,
    /// A change of state was not seen, and the scheduler's own account does not tell it either. A
    /// thread is never *in* this state: the time is charged once that is found.
    Unseen = 5,
}

/// How many [`State`]s there are.
pub const STATES: usize = 6;

/// How many sockets of one thread can wait for their hand-off at the same time: at most 32, a bit
/// of [`Thread::owed`] each.
pub const PENDING: usize = 32;

/// Changes of state kept of one thread; a power of two.
pub const CHANGES: usize = 16;

/// A receive call whose messages the thread has not handed off yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending {
    /// Address of the `struct sock`.
    pub sk: u64,
    /// [`crate::Socket::id`].
    pub id: u64,
    /// The descriptor the thread read it by.
    pub fd: i32,
    /// Always 0.
    pub reserved: u32,
}

/// The end of a stretch that a thread spent in one state.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// When it ended, `CLOCK_MONOTONIC` ns; the next one began there.
    pub at: u64,
    /// The throttled part of it, ns, times 8, plus the [`State`] it was spent in.
    pub what: u64,
}

impl Change {
    /// The end, at `at`, of a stretch in `state`, `throttled` ns of it withheld.
    #[must_use]
    pub const fn new(at: u64, state: u32, throttled: u64) -> Self {
        Self {
            at,
            what: throttled << 3 | (state & 7) as u64,
        }
    }

    /// The number of the [`State`].
    #[must_use]
    pub const fn state(&self) -> u32 {
        (self.what & 7) as u32
    }

    /// The throttled part, ns.
    #[must_use]
    pub const fn throttled(&self) -> u64 {
        self.what >> 3
    }
}

/// What a thread did last; handed over as it is when a socket gets a new reader, which the arrivals
/// so far know nothing of.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// Start.
    pub head: Head,
    /// The thread.
    pub tid: u32,
    /// Changes so far, this number modulo [`CHANGES`] is where the next one goes. It wraps.
    pub next: u32,
    /// The last ones; `at` is 0 in those that were never written. The first of all is no stretch
    /// but the beginning.
    pub changes: [Change; CHANGES],
}

/// One tracked thread. Written by the scheduler probes, one writer at a time (the scheduler
/// serialises them per task), read on any CPU under the sequence counter.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Thread {
    /// Odd while the counters are being written.
    pub seq: u64,
    /// The [`State`] in progress.
    pub state: u32,
    /// Thread group id, initial PID namespace.
    pub tgid: u32,
    /// When it began, `CLOCK_MONOTONIC` ns.
    pub since: u64,
    /// Nanoseconds per [`State`] since the thread is tracked, the one in progress not included.
    pub ns: [u64; STATES],

    /// The throttle clock of [`Self::cfs_rq`] when this runnable stretch (or the last migration in
    /// it) began, ns.
    pub throttle_base: u64,
    /// Throttled part of this runnable stretch on run queues it has left, ns.
    pub throttle_moved: u64,
    /// Address of the `cfs_rq` the base was read from; 0 when none was read.
    pub cfs_rq: u64,
    /// `CLOCK_MONOTONIC` minus the run queue's clock, ns, as of the base.
    pub clock_offset: i64,

    /// The futex address of the lock wait in progress or last seen.
    pub wait_address: u64,
    /// When that (joined) wait began, `CLOCK_MONOTONIC` ns.
    pub wait_since: u64,
    /// Lock waits that ended; consecutive timed-out waits on one address are one, if the thread did
    /// not release the lock in between.
    pub lock_waits: u64,
    /// The longest of them, ns.
    pub lock_wait_longest: u64,
    /// 1 while a lock wait has not been ended by a release: asleep, or woken by its timer.
    pub wait_open: u32,
    /// The thread whose release ended the last lock wait; 0 before the first.
    pub releaser: u32,
    /// Time asleep in the (joined) lock wait in progress, the present sleep not included, ns.
    pub wait_ns: u64,
    /// One more than the CPU the thread waits for; 0 while it waits for none.
    pub queued_on: u64,
    /// Since when, `CLOCK_MONOTONIC` ns.
    pub queued_at: u64,
    /// [`crate::Queued::first`].
    pub log_first: u64,
    /// Throttled part of this runnable stretch that was told with CPUs it has left, ns.
    pub throttle_told: u64,

    /// Records about this thread that found the ring full.
    pub lost: u32,
    /// 1 when the lock wait last begun has a timeout and a futex of its process only.
    pub wait_timed: u32,
    /// 1: tracked only because it released a lock that a reader waited for. What it is doing is of
    /// interest, its own waits are not told.
    pub holder: u32,
    /// The process of the thread that took its CPU, when it lost that last; 0 when it has slept
    /// since.
    pub preempted_by: u32,
    /// `task_struct.sched_info.run_delay` when it last went to sleep, ns.
    pub run_delay: u64,
    /// The system call the thread sleeps (or last slept) in; -1 for an exception.
    pub call: i64,
    /// Its first argument.
    pub call_arg: u64,
    /// Receive calls to be handed off: bit i is set while `pending[i]` is one.
    pub owed: u32,
    /// 1 once it was told that the entry of system calls should be watched for this thread.
    pub entries_wanted: u32,
    /// See [`Self::owed`].
    pub pending: [Pending; PENDING],
    /// What it did last. Written by the scheduler's probes, read by the thread itself.
    pub past: Past,
}

const _: () = assert!(size_of::<Past>() == 16 + 8 + 16 * CHANGES);
const _: () = assert!(
    size_of::<Thread>()
        == 8 + 8
            + 8
            + 8 * STATES
            + 4 * 8
            + 4 * 8
            + 4 * 4
            + 4 * 8
            + 8
            + 5 * 8
            + 24 * PENDING
            + size_of::<Past>()
);
