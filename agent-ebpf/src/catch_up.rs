//! Bringing a thread's account up to what is observed now, when a change of state was missed.

use agent_common::{ProbeCounter, SleepEnded, ThreadState, TrackedThread, is_recorded};
use aya_ebpf::{bindings::task_struct, helpers::generated::bpf_get_current_task_btf};

use crate::{
    cfs_rq, cpu_queue, lock_wait,
    ring_buffer::count,
    sched_info,
    thread::{charge, charge_unknown, emit_sleep},
};

/// The thread is on its CPU, in a way that the account does not explain.
#[inline(always)]
pub(crate) fn lost_track(thread: &mut TrackedThread, now: u64) {
    charge_unknown(thread, now);
    cpu_queue::leave(thread);
}

/// The thread, `task`, runs and was not observed to get its CPU: rebuilds that. It is then on it.
///
/// # Safety
/// `task` is one the verifier knows.
#[inline(always)]
unsafe fn got_cpu(task: *const task_struct, thread: &mut TrackedThread, now: u64) {
    let asleep = thread.is_asleep();
    // SAFETY: the caller's task is one the verifier knows.
    let Some(rebuilt) = (unsafe { sched_info::of_running(task, thread, asleep, now) }) else {
        lost_track(thread, now);
        return;
    };
    if asleep {
        became_runnable(thread, rebuilt.queued);
    }
    // SAFETY: the caller's.
    let throttled = unsafe { cfs_rq::throttled(task, thread) };
    charge(thread, rebuilt.arrived, ThreadState::OnCpu, throttled);
    cpu_queue::leave(thread);
    count(ProbeCounter::SwitchRebuilt);
}

/// The thread became runnable at `at`, which was not observed.
#[inline(always)]
pub(crate) fn became_runnable(thread: &mut TrackedThread, at: u64) {
    let at = if at > thread.since_ns {
        at
    } else {
        thread.since_ns
    };
    if thread.state == ThreadState::LockWait as u32 {
        lock_wait::interrupted(thread, at);
    } else {
        unblocked(thread, at);
    }
    enter_run_queue(thread, at);
}

/// The thread enters its wait for a CPU; its run queue is not chosen yet.
#[inline(always)]
pub(crate) fn enter_run_queue(thread: &mut TrackedThread, at: u64) {
    thread.cfs_rq = 0;
    thread.throttle_moved_ns = 0;
    charge(thread, at, ThreadState::RunQueue, 0);
}

/// The thread's sleep in something else than futex(2) is over.
#[inline(always)]
pub(crate) fn unblocked(thread: &TrackedThread, at: u64) {
    if !is_recorded(thread.since_ns, at) {
        return;
    }
    emit_sleep(
        thread,
        &SleepEnded {
            state: ThreadState::Blocked as u32,
            from_ns: thread.since_ns,
            to_ns: at,
            object: thread.syscall as u64,
            syscall_arg: thread.syscall_arg,
            ..SleepEnded::default()
        },
    );
}

/// The thread is the current one.
#[inline(always)]
pub(crate) fn runs(thread: &mut TrackedThread, now: u64) {
    if !thread.is_running() {
        // SAFETY: the current task is known to the verifier.
        unsafe { got_cpu(bpf_get_current_task_btf(), thread, now) };
    }
}

/// The thread is the current one, and in a call of its own that is no wait for a lock.
#[inline(always)]
pub(crate) fn acts(thread: &mut TrackedThread, now: u64) {
    runs(thread, now);
    lock_wait::end_if_open(thread);
}
