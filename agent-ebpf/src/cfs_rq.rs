//! Throttle apart from run queue: the throttle clock of the thread's `cfs_rq`.
//!
//! A throttled thread is runnable, so its wait looks like any wait for a CPU. The kernel keeps, per
//! `cfs_rq`, how long it was withheld by its own or an ancestor's quota
//! (kernel/sched/fair.c `tg_throttle_down`, `tg_unthrottle_up`); the difference of that clock over
//! the wait is the throttled part. Which fields make up the clock differs by kernel and is decided
//! from BTF by the agent:
//! - 6.6 and later: `throttled_clock_self_time`, `throttled_clock_self` (0 when not throttled);
//! - 5.19 to 6.5: `throttled_clock_pelt_time`, `throttled_clock_pelt`, `throttle_count`;
//! - before: `throttled_clock_task_time`, `throttled_clock_task`, `throttle_count`.

use agent_common::{ABSENT, ProbeCounter, TrackedThread};
use aya_ebpf::bindings::task_struct;

use crate::{
    bits::{field, peek},
    globals::{
        CFS_RQ_RQ, CFS_RQ_TG, CFS_RQ_THROTTLE_COUNT, CFS_RQ_THROTTLED_START,
        CFS_RQ_THROTTLED_TOTAL, RQ_CLOCK, RQ_CURR, TASK_CFS_RQ, TASK_GROUP_CFS_RQ, TASK_PID,
        TASK_POLICY, TASK_TGID,
    },
    ring::count,
    seqlock::{begin_write, end_write},
};

/// include/uapi/linux/sched.h: the policies of the fair class.
const SCHED_NORMAL: u32 = 0;
const SCHED_BATCH: u32 = 3;
const SCHED_IDLE: u32 = 5;

/// The throttle clock of one `cfs_rq`, read once.
struct Clock {
    /// Throttled ns so far, the stretch in progress not included.
    total: u64,
    /// Start of the stretch in progress on the run queue's clock; 0 when there is none.
    start: u64,
    /// The run queue's clock.
    now: u64,
}

impl Clock {
    /// Throttled ns as of the run queue's own clock.
    #[inline(always)]
    fn value(&self) -> u64 {
        self.value_at(self.now)
    }

    #[inline(always)]
    fn value_at(&self, now: u64) -> u64 {
        if self.start != 0 && now > self.start {
            self.total + (now - self.start)
        } else {
            self.total
        }
    }
}

/// Whether this kernel has a throttle clock.
#[inline(always)]
fn known() -> bool {
    CFS_RQ_THROTTLED_TOTAL.load() != ABSENT
}

/// The task's `cfs_rq`, when the task is of the fair class.
#[inline(always)]
unsafe fn cfs_rq_of(task: *const task_struct) -> u64 {
    // SAFETY: the caller's task is a tracepoint's argument.
    unsafe {
        let policy = field::<u32>(task.cast(), TASK_POLICY.load());
        if policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE {
            field::<u64>(task.cast(), TASK_CFS_RQ.load())
        } else {
            0
        }
    }
}

#[inline(always)]
unsafe fn read(cfs_rq: u64) -> Option<Clock> {
    if cfs_rq == 0 {
        return None;
    }
    // SAFETY: peek checks addresses.
    unsafe {
        let total = peek(cfs_rq, CFS_RQ_THROTTLED_TOTAL.load())?;
        let mut start = peek(cfs_rq, CFS_RQ_THROTTLED_START.load())?;
        if CFS_RQ_THROTTLE_COUNT.load() != ABSENT {
            let nested: i32 = peek(cfs_rq, CFS_RQ_THROTTLE_COUNT.load())?;
            if nested <= 0 {
                start = 0;
            }
        }
        let rq: u64 = peek(cfs_rq, CFS_RQ_RQ.load())?;
        let now = peek(rq, RQ_CLOCK.load())?;
        Some(Clock { total, start, now })
    }
}

/// What the throttle clock of a `cfs_rq` of this CPU shows, ns; `None` where there is none.
#[inline(always)]
pub(crate) fn shown(cfs_rq: u64) -> Option<u64> {
    if !known() {
        return None;
    }
    // SAFETY: `read` checks addresses.
    Some(unsafe { read(cfs_rq) }?.value())
}

/// The thread, (id, process), that has the CPU of a `cfs_rq`; 0 when that is not known.
#[inline(always)]
pub(crate) fn current_of(cfs_rq: u64) -> (u32, u32) {
    if cfs_rq == 0 || RQ_CURR.load() == ABSENT {
        return (0, 0);
    }
    // SAFETY: peek checks addresses.
    unsafe {
        let task = peek::<u64>(cfs_rq, CFS_RQ_RQ.load()).and_then(|rq| peek(rq, RQ_CURR.load()));
        let of = |offset| task.and_then(|task| peek(task, offset)).unwrap_or(0);
        (of(TASK_PID.load()), of(TASK_TGID.load()))
    }
}

/// What [`TrackedThread`] remembers of the clock when a runnable stretch begins.
#[derive(Clone, Copy, Default)]
pub(crate) struct Base {
    cfs_rq: u64,
    value: u64,
    offset: i64,
}

impl Base {
    #[inline(always)]
    unsafe fn of(cfs_rq: u64, now: u64) -> Self {
        // SAFETY: `read` checks addresses.
        match unsafe { read(cfs_rq) } {
            Some(clock) => Self {
                cfs_rq,
                value: clock.value(),
                offset: now.wrapping_sub(clock.now) as i64,
            },
            None => Self::default(),
        }
    }

    /// Writes it into the thread; within its write section.
    #[inline(always)]
    pub(crate) fn store(self, thread: &mut TrackedThread, moved: u64) {
        thread.cfs_rq = self.cfs_rq;
        thread.throttle_base_ns = self.value;
        thread.clock_offset_ns = self.offset;
        thread.throttle_moved_ns = moved;
    }
}

/// The base for a runnable stretch that begins now on the task's run queue.
///
/// # Safety
/// `task` is a tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn base(task: *const task_struct, now: u64) -> Base {
    if known() {
        // SAFETY: the caller's.
        unsafe { Base::of(cfs_rq_of(task), now) }
    } else {
        Base::default()
    }
}

/// Throttled ns of the runnable stretch that ends now, `task` being back on a CPU.
///
/// # Safety
/// `task` is a tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn ended(task: *const task_struct, thread: &TrackedThread) -> u64 {
    if !known() || thread.cfs_rq == 0 {
        return thread.throttle_moved_ns;
    }
    // SAFETY: the caller's; `read` checks addresses.
    unsafe {
        if cfs_rq_of(task) != thread.cfs_rq {
            count(ProbeCounter::CgroupChanged);
        }
        match read(thread.cfs_rq) {
            Some(clock) => {
                thread.throttle_moved_ns + clock.value().saturating_sub(thread.throttle_base_ns)
            }
            None => thread.throttle_moved_ns,
        }
    }
}

/// Throttled ns of the runnable stretch in progress, as of `at` (`CLOCK_MONOTONIC`).
#[inline(always)]
pub(crate) fn so_far(cfs_rq: u64, base: u64, moved: u64, offset: i64, at: u64) -> u64 {
    if !known() || cfs_rq == 0 {
        return moved;
    }
    // SAFETY: `read` checks addresses.
    match unsafe { read(cfs_rq) } {
        // The run queue's clock stands still while nothing happens on it, so `at` is carried over.
        Some(clock) => {
            let now = at.wrapping_sub(offset as u64);
            moved + clock.value_at(now).saturating_sub(base)
        }
        None => moved,
    }
}

/// The runnable stretch goes on on another CPU: closes the account on the old `cfs_rq` and opens
/// one on the group's `cfs_rq` there.
#[inline(always)]
pub(crate) fn migrate(thread: &mut TrackedThread, cpu: u32, now: u64) {
    if !known() || thread.cfs_rq == 0 {
        return;
    }
    // SAFETY: peek and read check addresses.
    unsafe {
        let Some(old) = read(thread.cfs_rq) else {
            return;
        };
        let moved = thread.throttle_moved_ns
            + old
                .value_at(now.wrapping_sub(thread.clock_offset_ns as u64))
                .saturating_sub(thread.throttle_base_ns);
        let base = match group_queue(thread.cfs_rq, cpu) {
            Some(cfs_rq) => Base::of(cfs_rq, now),
            None => Base::default(),
        };
        begin_write(thread);
        base.store(thread, moved);
        end_write(thread);
    }
}

/// The `cfs_rq` of the same task group on another CPU.
#[inline(always)]
unsafe fn group_queue(cfs_rq: u64, cpu: u32) -> Option<u64> {
    if TASK_GROUP_CFS_RQ.load() == ABSENT {
        return None;
    }
    // SAFETY: peek checks addresses.
    unsafe {
        let group: u64 = peek(cfs_rq, CFS_RQ_TG.load())?;
        let queues: u64 = peek(group, TASK_GROUP_CFS_RQ.load())?;
        let there: u64 = peek(queues + u64::from(cpu) * 8, 0)?;
        // A layout that differs from what BTF suggested would show here.
        let same: u64 = peek(there, CFS_RQ_TG.load())?;
        (same == group).then_some(there)
    }
}
