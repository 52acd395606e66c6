//! Waits of tracked threads, told one by one when they are over, so that somebody can be charged.

use crate::Head;

/// Waits shorter than this are not told, ns: they are in the counters all the same.
pub const TOLD_FROM: u64 = 20_000;

/// Switches of a CPU in one record; a power of two.
pub const RUNNERS: usize = 16;

/// One sleep of a lock wait, or a blocking call, that is over.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Waited {
    /// Start; no socket, and nothing said of losses.
    pub head: Head,
    /// Who waited.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// [`crate::State::LockWait`] or [`crate::State::Blocked`].
    pub state: u32,
    /// Lock wait: 1 when a timer ended the sleep and the wait goes on with another. The last one of
    /// a wait can be of no length: then it was over before somebody was seen to release it.
    pub goes_on: u32,
    /// When the sleep began, `CLOCK_MONOTONIC` ns.
    pub from: u64,
    /// When it was over.
    pub to: u64,
    /// Lock wait: the futex address. Blocked: the system call, -1 for an exception.
    pub what: u64,
    /// Blocked: the call's first argument.
    pub arg: u64,
    /// Lock wait: the thread that released it; 0 when it ended otherwise.
    pub releaser: u32,
    /// Its process.
    pub releaser_tgid: u32,
}

/// Who had a CPU, until when.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runner {
    /// Thread; 0 is the idle one.
    pub tid: u32,
    /// Process.
    pub tgid: u32,
    /// When it left the CPU, `CLOCK_MONOTONIC` ns.
    pub until: u64,
    /// Meanwhile the run queue [`Self::group`] was throttled for so long, ns, `u32::MAX` at the
    /// most.
    pub withheld: u32,
    /// Low bits of the address of the `cfs_rq` that [`Self::withheld`] is of; 0 when that is not
    /// known.
    pub group: u32,
}

/// A wait for a CPU that is over, or goes on on another CPU, and who had it. Of this, only as many
/// [`Self::runners`] are in a record as are not told yet: those behind the last block. A whole
/// block is told by itself, as soon as it is full, with what is here of the CPU only
/// ([`crate::Kind::Switches`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Queued {
    /// Start; no socket, and nothing said of losses.
    pub head: Head,
    /// Who waited.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// The [`crate::State`] in which it became runnable: asleep, or on the CPU when it was
    /// preempted.
    pub after: u32,
    /// The CPU.
    pub cpu: u32,
    /// When it became runnable, or came to this CPU, `CLOCK_MONOTONIC` ns.
    pub from: u64,
    /// When it got the CPU, or left its queue for another.
    pub to: u64,
    /// Of that, the time throttled, ns.
    pub throttled: u64,
    /// Switches of this CPU seen before the wait began.
    pub first: u64,
    /// The same, now: switch `i` is in `runners[i % RUNNERS]` of the block `i / RUNNERS`.
    pub next: u64,
    /// Low bits of the address of its `cfs_rq`, as in [`Runner::group`].
    pub group: u32,
    /// The thread that has the CPU now, when the wait goes on on another; 0 when it is over.
    pub current: u32,
    /// Its process.
    pub current_tgid: u32,
    /// Always 0.
    pub reserved: u32,
    /// The switches of this CPU, of the block that is not full yet, during which a tracked thread
    /// waited.
    pub runners: [Runner; RUNNERS],
}

/// One CPU and who waits for it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// Tracked threads that wait for it. Changed by any CPU, atomically.
    pub waiters: u64,
    /// Address of the `cfs_rq` of the one that came last. Written by any CPU.
    pub awaited_by: u64,
    /// 1: one came since the last switch. Set by any CPU.
    pub fresh: u64,
    /// The `cfs_rq` whose throttle clock was read at the last switch.
    pub group: u64,
    /// What it showed, ns.
    pub clock: u64,
    /// Its last switches; handed over as it is. Written on that CPU only, by the switch itself.
    pub log: Queued,
}

const _: () = {
    assert!(size_of::<Waited>() == 16 + 16 + 4 * 8 + 8);
    assert!(size_of::<Runner>() == 24);
    assert!(size_of::<Queued>() == 16 + 16 + 5 * 8 + 16 + 24 * RUNNERS);
    assert!(size_of::<Cpu>() == 5 * 8 + size_of::<Queued>());
};
