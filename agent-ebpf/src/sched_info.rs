//! Changes of state that no probe saw, from the scheduler's own account of a task.
//!
//! A tracepoint can stay silent for a switch that took place: seen on a virtual machine, always
//! with the same two tasks switched away from, ftrace missing them as well; why is not known. The
//! scheduler keeps, whoever looks, when a task was queued and got its CPU (`struct sched_info`,
//! kernel/sched/stats.h `sched_info_enqueue`, `sched_info_arrive`). Its clock is the run queue's:
//! it is carried over to `CLOCK_MONOTONIC` by what the two are apart, which is exact to some
//! microseconds.

use agent_common::{ABSENT, TrackedThread};
use aya_ebpf::bindings::task_struct;

use crate::{
    bits::{field, peek},
    globals::{
        CFS_RQ_RQ, RQ_CLOCK, RQ_SCHED_CLOCK, TASK_ARRIVED, TASK_CFS_RQ, TASK_QUEUED, TASK_RUN_DELAY,
    },
};

/// What the two clocks' offset is uncertain by at most, ns; beyond it the account is of another
/// time.
const UNCERTAIN: u64 = 1_000_000;

/// Of a task that runs.
pub(crate) struct Account {
    /// When it became runnable, `CLOCK_MONOTONIC` ns; of a thread that was asleep, else the start
    /// of its stretch.
    pub(crate) queued: u64,
    /// When it got its CPU, `CLOCK_MONOTONIC` ns.
    pub(crate) arrived: u64,
}

/// Whether this kernel keeps the account.
#[inline(always)]
fn known() -> bool {
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
    if known() {
        // SAFETY: the caller's.
        unsafe { field(task.cast(), TASK_RUN_DELAY.load()) }
    } else {
        0
    }
}

/// What `CLOCK_MONOTONIC` is ahead of the run queue's clock. Readings come late, never early, as
/// that clock stands still in between: the smaller one is the better one.
#[inline(always)]
unsafe fn offset(task: *const task_struct, thread: &TrackedThread, now: u64) -> Option<u64> {
    // SAFETY: the caller's; peek checks addresses.
    let here = unsafe {
        let cfs_rq = field::<u64>(task.cast(), TASK_CFS_RQ.load());
        let rq: u64 = peek(cfs_rq, CFS_RQ_RQ.load())?;
        let clock: u64 = peek(rq, RQ_SCHED_CLOCK.load())?;
        now.wrapping_sub(clock) as i64
    };
    let same = RQ_CLOCK.load() == RQ_SCHED_CLOCK.load();
    Some(
        if same && thread.clock_offset_ns != 0 && thread.clock_offset_ns < here {
            thread.clock_offset_ns as u64
        } else {
            here as u64
        },
    )
}

/// Of a task that runs; `None` when the account is not one of the time since the thread's last
/// change of state.
///
/// # Safety
/// `task` is one the verifier knows.
#[inline(always)]
pub(crate) unsafe fn running(
    task: *const task_struct,
    thread: &TrackedThread,
    asleep: bool,
    now: u64,
) -> Option<Account> {
    if !known() {
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
        Some(Account {
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
pub(crate) unsafe fn waiting(
    task: *const task_struct,
    thread: &TrackedThread,
    now: u64,
) -> Option<u64> {
    if !known() {
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

/// `at`, which must lie between the two, give or take what the clocks are uncertain by.
#[inline(always)]
fn within(from: u64, at: u64, to: u64) -> Option<u64> {
    if at + UNCERTAIN < from || at > to + UNCERTAIN {
        return None;
    }
    if at < from {
        return Some(from);
    }
    Some(if at > to { to } else { at })
}
