//! The throttle clock of a `cfs_rq`, which separates throttle from waiting for a CPU.
//!
//! A throttled thread is runnable, so its wait looks like any wait for a CPU. The kernel keeps, per
//! `cfs_rq`, how long it was throttled by its own or an ancestor's quota
//! (kernel/sched/fair.c `tg_throttle_down`, `tg_unthrottle_up`); the difference of that clock over
//! the wait is the throttled part. Which fields make up the clock differs by kernel and is decided
//! from BTF by the agent:
//! - 6.6 and later: `throttled_clock_self_time`, `throttled_clock_self` (0 when not throttled);
//! - 5.19 to 6.5: `throttled_clock_pelt_time`, `throttled_clock_pelt`, `throttle_count`;
//! - before: `throttled_clock_task_time`, `throttled_clock_task`, `throttle_count`.

use agent_common::{
    ABSENT, ProbeCounter, TrackedThread,
    throttle::{ThrottleBase, ThrottleReading},
};
use aya_ebpf::bindings::task_struct;

use crate::{
    globals::{
        CFS_RQ_RQ, CFS_RQ_TG, CFS_RQ_THROTTLE_COUNT, CFS_RQ_THROTTLED_START,
        CFS_RQ_THROTTLED_TOTAL, RQ_CLOCK, RQ_CURR, TASK_CFS_RQ, TASK_GROUP_CFS_RQ, TASK_PID,
        TASK_POLICY, TASK_TGID,
    },
    memory::{field, peek},
    ring_buffer::count,
    seqlock::{begin_write, end_write},
};

/// include/uapi/linux/sched.h: the policies of the fair class.
const SCHED_NORMAL: u32 = 0;
const SCHED_BATCH: u32 = 3;
const SCHED_IDLE: u32 = 5;

/// Whether this kernel has a throttle clock.
#[inline(always)]
fn has_clock() -> bool {
    CFS_RQ_THROTTLED_TOTAL.load() != ABSENT
}

/// The task's `cfs_rq`, when the task is of the fair class; else 0.
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
unsafe fn read(cfs_rq: u64) -> Option<ThrottleReading> {
    if cfs_rq == 0 {
        return None;
    }
    // SAFETY: peek checks addresses.
    unsafe {
        let total_ns = peek(cfs_rq, CFS_RQ_THROTTLED_TOTAL.load())?;
        let mut start_ns = peek(cfs_rq, CFS_RQ_THROTTLED_START.load())?;
        if CFS_RQ_THROTTLE_COUNT.load() != ABSENT {
            let nested: i32 = peek(cfs_rq, CFS_RQ_THROTTLE_COUNT.load())?;
            if nested <= 0 {
                start_ns = 0;
            }
        }
        let rq: u64 = peek(cfs_rq, CFS_RQ_RQ.load())?;
        let now_ns = peek(rq, RQ_CLOCK.load())?;
        Some(ThrottleReading {
            total_ns,
            start_ns,
            now_ns,
        })
    }
}

/// The throttle clock of a `cfs_rq` of this CPU, ns; `None` where there is none.
#[inline(always)]
pub(crate) fn throttle_clock(cfs_rq: u64) -> Option<u64> {
    if !has_clock() {
        return None;
    }
    // SAFETY: `read` checks addresses.
    Some(unsafe { read(cfs_rq) }?.value_ns())
}

/// Whether the quota of a `cfs_rq` is used up now.
#[inline(always)]
pub(crate) fn is_throttled(cfs_rq: u64) -> bool {
    if !has_clock() {
        return false;
    }
    // SAFETY: `read` checks addresses.
    unsafe { read(cfs_rq) }.is_some_and(|clock| clock.start_ns != 0)
}

/// The thread, (id, process), that has the CPU of a `cfs_rq`; 0 when that cannot be read.
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

#[inline(always)]
unsafe fn base_on(cfs_rq: u64, now: u64) -> ThrottleBase {
    // SAFETY: `read` checks addresses.
    match unsafe { read(cfs_rq) } {
        Some(clock) => ThrottleBase {
            cfs_rq,
            base_ns: clock.value_ns(),
            moved_ns: 0,
            clock_offset_ns: now.wrapping_sub(clock.now_ns) as i64,
        },
        None => ThrottleBase::default(),
    }
}

/// The base for a runnable stretch that begins now on the task's run queue.
///
/// # Safety
/// `task` is a tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn base(task: *const task_struct, now: u64) -> ThrottleBase {
    if has_clock() {
        // SAFETY: the caller's.
        unsafe { base_on(cfs_rq_of(task), now) }
    } else {
        ThrottleBase::default()
    }
}

/// Throttled ns of the runnable stretch that ends now, `task` being back on a CPU.
///
/// # Safety
/// `task` is a tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn throttled(task: *const task_struct, thread: &TrackedThread) -> u64 {
    if !has_clock() || thread.cfs_rq == 0 {
        return thread.throttle_moved_ns;
    }
    // SAFETY: the caller's; `read` checks addresses.
    unsafe {
        if cfs_rq_of(task) != thread.cfs_rq {
            count(ProbeCounter::CgroupChanged);
        }
        match read(thread.cfs_rq) {
            Some(clock) => thread.throttle_base().throttled_ns(&clock),
            None => thread.throttle_moved_ns,
        }
    }
}

/// Throttled ns of the runnable stretch in progress, as of `at` (`CLOCK_MONOTONIC`).
#[inline(always)]
pub(crate) fn throttled_so_far(base: &ThrottleBase, at: u64) -> u64 {
    if !has_clock() || base.cfs_rq == 0 {
        return base.moved_ns;
    }
    // SAFETY: `read` checks addresses.
    match unsafe { read(base.cfs_rq) } {
        Some(clock) => base.throttled_at(&clock, at),
        None => base.moved_ns,
    }
}

/// The runnable stretch goes on on another CPU: closes the account on the old `cfs_rq` and opens
/// one on the group's `cfs_rq` there.
#[inline(always)]
pub(crate) fn migrate(thread: &mut TrackedThread, cpu: u32, now: u64) {
    if !has_clock() || thread.cfs_rq == 0 {
        return;
    }
    // SAFETY: peek and read check addresses.
    unsafe {
        let Some(old) = read(thread.cfs_rq) else {
            return;
        };
        let moved_ns = thread.throttle_base().throttled_at(&old, now);
        let base = match group_queue(thread.cfs_rq, cpu) {
            Some(cfs_rq) => base_on(cfs_rq, now),
            None => ThrottleBase::default(),
        };
        begin_write(thread);
        thread.set_throttle_base(ThrottleBase { moved_ns, ..base });
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
