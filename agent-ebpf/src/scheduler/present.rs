//! Threads that were there before the agent: tracked from now on, as they are.

use agent_common::{ABSENT, PRESENT, ThreadState, TrackedThread, syscall::pseudo};
use aya_ebpf::bindings::task_struct;

use crate::{
    cfs_rq, cpu_queue,
    globals::{TASK_ON_CPU, TASK_PID, TASK_STATE, TASK_TGID},
    lock_wait,
    memory::field,
    sched_info,
    task::{discovers, is_target, now, syscall_of},
    thread::{begin_present, set_tracked},
};

/// A thread that runs when the agent comes. One of a target is tracked from now on: what it does
/// before its first receive call is then known, and so is what the messages waited for that arrived
/// before the agent.
///
/// Its state is read without a lock. A change that races with the reading is found by the next
/// switch of the thread, from the scheduler's own account (`catch_up`).
///
/// # Safety
/// `task` is the iterator's.
#[inline(always)]
pub(crate) unsafe fn present(task: *const task_struct) {
    // SAFETY: the caller's.
    unsafe {
        let tgid: u32 = field(task.cast(), TASK_TGID.load());
        if discovers() || !is_target(tgid) {
            return;
        }
        let tid: u32 = field(task.cast(), TASK_PID.load());
        let now = now();
        let Some(thread) = begin_present((tid, tgid), now) else {
            return;
        };
        let thread = &mut *thread;
        thread.is_holder = PRESENT;
        enter_state(task, thread, now);
        set_tracked(tid, true);
    }
}

/// Enters the state that the task is in now.
#[inline(always)]
unsafe fn enter_state(task: *const task_struct, thread: &mut TrackedThread, now: u64) {
    // SAFETY: the caller's task is the iterator's.
    unsafe {
        if TASK_ON_CPU.load() != ABSENT && field::<u32>(task.cast(), TASK_ON_CPU.load()) != 0 {
            return;
        }
        let state: u32 = field(task.cast(), TASK_STATE.load());
        if state == 0 {
            thread.state = ThreadState::RunQueue as u32;
            thread.set_throttle_base(cfs_rq::base(task, now));
            cpu_queue::enqueued(task, thread, now);
            return;
        }
        thread.run_delay_ns = sched_info::run_delay(task);
        let mut call = syscall_of(task);
        if let Some(number) = pseudo::of_state(state) {
            call = call.instead(number);
        }
        thread.syscall = call.number;
        thread.syscall_arg = call.args[0];
        thread.state = lock_wait::state_of_sleep(thread, &call, now) as u32;
    }
}
