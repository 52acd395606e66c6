//! Context switches.

use agent_common::{ProbeCounter, ThreadState, TrackedThread, syscall::pseudo};
use aya_ebpf::bindings::task_struct;

use crate::{
    catch_up, cfs_rq, cpu_queue, fault,
    globals::{TASK_PID, TASK_TGID},
    handoff, lock_wait,
    memory::field,
    ring_buffer::count,
    sched_info,
    task::{now, syscall_of},
    thread::{self, charge},
};

/// `prev` leaves the CPU, `next` gets it.
///
/// # Safety
/// Both are the tracepoint's task arguments.
#[inline(always)]
pub(crate) unsafe fn switched(
    prev: *const task_struct,
    next: *const task_struct,
    preempted: bool,
    prev_state: u32,
) {
    // SAFETY: the caller's.
    unsafe {
        let prev_tid = field::<u32>(prev.cast(), TASK_PID.load());
        let next_tid = field::<u32>(next.cast(), TASK_PID.load());
        let out = thread::lookup(prev_tid);
        let into = thread::lookup(next_tid);
        let awaited = cpu_queue::awaited();
        if out.is_none() && into.is_none() && awaited.is_none() {
            return;
        }
        let now = now();
        if let Some(cpu) = awaited {
            cpu_queue::turn_ended(cpu, prev, now);
        }
        if let Some(thread) = out {
            let asleep = !preempted && prev_state != 0;
            (*thread).preempted_by = if asleep {
                0
            } else {
                field(next.cast(), TASK_TGID.load())
            };
            let sleep = asleep.then_some(prev_state);
            leaves(prev, &mut *thread, prev_tid, sleep, now);
        }
        if let Some(thread) = into
            && !fault::skips_switch()
        {
            enters(next, &mut *thread, now);
        }
    }
}

/// The thread, `task`, leaves its CPU: asleep in this state, or preempted (`None`).
#[inline(always)]
unsafe fn leaves(
    task: *const task_struct,
    thread: &mut TrackedThread,
    tid: u32,
    sleep: Option<u32>,
    now: u64,
) {
    // SAFETY: the caller's task is the tracepoint's argument.
    unsafe {
        if thread.is_released_at(now) {
            super::untrack(tid);
            return;
        }
        catch_up::runs(thread, now);
        let Some(sleep_state) = sleep else {
            thread.set_throttle_base(cfs_rq::base(task, now));
            charge(thread, now, ThreadState::RunQueue, 0);
            cpu_queue::preempted(thread, now);
            return;
        };
        thread.run_delay_ns = sched_info::run_delay(task);
        let mut call = syscall_of(task);
        if let Some(number) = pseudo::of_state(sleep_state) {
            // Not a sleep of the call's own, and so no hand-off either.
            call = call.instead(number);
        }
        thread.syscall = call.number;
        thread.syscall_arg = call.args[0];
        let state = lock_wait::state_of_sleep(thread, &call, now);
        let at = charge(thread, now, state, 0);
        handoff::waits(task, thread, tid, &call, at);
    }
}

/// The thread, `task`, gets the CPU.
#[inline(always)]
unsafe fn enters(task: *const task_struct, thread: &mut TrackedThread, now: u64) {
    if thread.is_running() {
        catch_up::lost_track(thread, now);
        return;
    }
    if thread.is_asleep() {
        // SAFETY: the caller's task is the tracepoint's argument.
        if let Some(at) = unsafe { sched_info::queued_since(task, thread, now) } {
            catch_up::became_runnable(thread, at);
            count(ProbeCounter::SwitchRebuilt);
        }
    }
    let throttled = if thread.is_queued() {
        // SAFETY: the caller's task is the tracepoint's argument.
        unsafe { cfs_rq::throttled(task, thread) }
    } else {
        0
    };
    let at = charge(thread, now, ThreadState::OnCpu, throttled);
    cpu_queue::got_cpu(thread, throttled, at);
}
