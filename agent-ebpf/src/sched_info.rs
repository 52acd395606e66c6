//! Changes of state that no probe observed, rebuilt from the scheduler's own account of a task.
//!
//! A tracepoint can stay silent for a switch that took place: observed on a virtual machine, always
//! with the same two tasks switched away from, ftrace missing them as well; the reason is unknown.
//! The scheduler keeps, in any case, when a task was queued and got its CPU (`struct sched_info`,
//! kernel/sched/stats.h `sched_info_enqueue`, `sched_info_arrive`). Its clock is the run queue's:
//! it is carried over to `CLOCK_MONOTONIC` by what the two are apart, which is exact to some
//! microseconds.

use agent_common::{
    ABSENT, TrackedThread,
    sched_info::{best_offset_ns, within},
};
use aya_ebpf::bindings::task_struct;

use crate::{
    globals::{
        CFS_RQ_RQ, RQ_CLOCK, RQ_SCHED_CLOCK, TASK_ARRIVED, TASK_CFS_RQ, TASK_QUEUED, TASK_RUN_DELAY,
    },
    memory::{field, peek},
};

/// The last changes of state of a task that runs.
pub(crate) struct Rebuilt {
    /// When it became runnable, `CLOCK_MONOTONIC` ns; of a thread that was not asleep, the start
    /// of its stretch.
    pub(crate) queued: u64,
    /// When it got its CPU, `CLOCK_MONOTONIC` ns.
    pub(crate) arrived: u64,
}

/// Whether this kernel keeps the account.
#[inline(always)]
fn is_available() -> bool {
    TASK_ARRIVED.load() != ABSENT
        && TASK_CFS_RQ.load() != ABSENT
        && TASK_QUEUED.load() != ABSENT
        && TASK_RUN_DELAY.load() != ABSENT
}

/// What the task has waited for a CPU so far, ns.
///
/// # Safety
/// `task` is one the verifier knows.
#[inline(always)]
pub(crate) unsafe fn run_delay(task: *const task_struct) -> u64 {
    if is_available() {
        // SAFETY: the caller's.
        unsafe { field(task.cast(), TASK_RUN_DELAY.load()) }
    } else {
        0
    }
}

/// What `CLOCK_MONOTONIC` is ahead of the run queue's clock.
#[inline(always)]
unsafe fn offset(task: *const task_struct, thread: &TrackedThread, now: u64) -> Option<u64> {
    // SAFETY: the caller's; peek checks addresses.
    let here = unsafe {
        let cfs_rq = field::<u64>(task.cast(), TASK_CFS_RQ.load());
        let rq: u64 = peek(cfs_rq, CFS_RQ_RQ.load())?;
        let clock: u64 = peek(rq, RQ_SCHED_CLOCK.load())?;
        now.wrapping_sub(clock) as i64
    };
    // The throttle clock's offset is one of this clock too where the two are the same.
    let same = RQ_CLOCK.load() == RQ_SCHED_CLOCK.load();
    let before = if same { thread.clock_offset_ns } else { 0 };
    Some(best_offset_ns(here, before) as u64)
}

/// The last changes of state of a task that runs; `None` when the account is not one of the time
/// since the thread's last change of state.
///
/// # Safety
/// `task` is one the verifier knows.
#[inline(always)]
pub(crate) unsafe fn of_running(
    task: *const task_struct,
    thread: &TrackedThread,
    asleep: bool,
    now: u64,
) -> Option<Rebuilt> {
    if !is_available() {
        return None;
    }
    // SAFETY: the caller's.
    unsafe {
        let arrived: u64 = field(task.cast(), TASK_ARRIVED.load());
        let arrived = arrived.wrapping_add(offset(task, thread, now)?);
        let queued = if asleep {
            let waited = run_delay(task).wrapping_sub(thread.run_delay_ns);
            within(thread.since_ns, arrived.wrapping_sub(waited), now)?
        } else {
            thread.since_ns
        };
        Some(Rebuilt {
            queued,
            arrived: within(thread.since_ns, arrived, now)?,
        })
    }
}

/// Since when a task that gets its CPU right now was waiting for it.
///
/// # Safety
/// `task` is one the verifier knows.
#[inline(always)]
pub(crate) unsafe fn queued_since(
    task: *const task_struct,
    thread: &TrackedThread,
    now: u64,
) -> Option<u64> {
    if !is_available() {
        return None;
    }
    // SAFETY: the caller's.
    unsafe {
        let queued: u64 = field(task.cast(), TASK_QUEUED.load());
        if queued == 0 {
            return None;
        }
        let queued = queued.wrapping_add(offset(task, thread, now)?);
        within(thread.since_ns, queued, now)
    }
}
