//! Wake-ups, and moves of runnable threads between CPUs.

use agent_common::{ThreadState, TrackedThread};
use aya_ebpf::bindings::task_struct;

use crate::{
    catch_up, cfs_rq, cpu_queue,
    globals::TASK_PID,
    lock_wait,
    memory::field,
    seqlock::{begin_write, end_write, is_written_elsewhere},
    task::{current, now},
    thread::lookup,
};

/// The sleeping thread becomes runnable; the waker is current. The run queue is not chosen yet;
/// `sched_wakeup` shows it.
#[inline(always)]
fn make_runnable(thread: &mut TrackedThread, now: u64) {
    let now = if now > thread.since_ns {
        now
    } else {
        thread.since_ns
    };
    if thread.state == ThreadState::LockWait as u32 {
        lock_wait::wake_up(thread, now);
    } else {
        catch_up::unblocked(thread, now);
    }
    catch_up::enter_run_queue(thread, now);
}

/// The wake-up of `task` begins.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn wake_up_begins(task: *const task_struct) {
    // SAFETY: the caller's, and map values.
    unsafe {
        if let Some(waker) = lookup(current().0) {
            lock_wait::current_wakes_another(&mut *waker);
        }
        let Some(thread) = lookup(field::<u32>(task.cast(), TASK_PID.load())) else {
            return;
        };
        let thread = &mut *thread;
        if !is_written_elsewhere(thread) && thread.is_asleep() {
            make_runnable(thread, now());
        }
    }
}

/// `task` is on its run queue.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn wake_up_enqueued(task: *const task_struct) {
    // SAFETY: the caller's.
    unsafe {
        let Some(thread) = lookup(field::<u32>(task.cast(), TASK_PID.load())) else {
            return;
        };
        let thread = &mut *thread;
        let now = now();
        if thread.is_asleep() {
            make_runnable(thread, now);
        }
        if thread.is_queued() && thread.cfs_rq == 0 {
            let base = cfs_rq::base(task, now);
            begin_write(thread);
            thread.set_throttle_base(base);
            end_write(thread);
            cpu_queue::enqueued(task, thread, now);
        }
    }
}

/// `task` moves to another CPU's run queue.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn migrating(task: *const task_struct, cpu: u32) {
    // SAFETY: the caller's.
    unsafe {
        let Some(thread) = lookup(field::<u32>(task.cast(), TASK_PID.load())) else {
            return;
        };
        let thread = &mut *thread;
        if thread.is_queued() {
            let now = now();
            let old_cfs_rq = thread.cfs_rq;
            cfs_rq::migrate(thread, cpu, now);
            if thread.queued_on != 0 {
                cpu_queue::moved(thread, old_cfs_rq, cpu, now);
            }
        }
    }
}
