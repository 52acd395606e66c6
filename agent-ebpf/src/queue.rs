//! Who had the CPU while a tracked thread waited for it.
//!
//! Each CPU keeps its last switches while somebody waits for it; a thread that gets the CPU hands them
//! over with the length of its wait. Which of them fall into the wait is told by their numbers.

use agent_common::{ABSENT, CHANGES, Count, Cpu, Head, Kind, RUNNERS, Runner, TOLD_FROM, Thread};
use aya_ebpf::{bindings::task_struct, helpers::generated::bpf_get_smp_processor_id};

use crate::{
    bits::field,
    globals::{TASK_CPU, TASK_PID, TASK_TGID},
    maps::CPUS,
    ring::emit,
};

#[inline(always)]
fn this_cpu() -> u32 {
    // SAFETY: no arguments.
    unsafe { bpf_get_smp_processor_id() }
}

/// This CPU, while somebody waits for it.
#[inline(always)]
pub(crate) fn awaited() -> Option<*mut Cpu> {
    let cpu = CPUS.get_ptr_mut(this_cpu())?;
    // SAFETY: a map value; a waiter that is missed by a moment misses one switch.
    (unsafe { (&raw const (*cpu).waiters).read_volatile() } != 0).then_some(cpu)
}

/// `prev` leaves the CPU.
///
/// # Safety
/// `prev` is the tracepoint's argument, `cpu` this CPU.
#[inline(always)]
pub(crate) unsafe fn ran(cpu: *mut Cpu, prev: *const task_struct, now: u64) {
    // SAFETY: the caller's; only this CPU writes its log.
    unsafe {
        let log = &mut (*cpu).log;
        log.runners[log.next as usize % RUNNERS] = Runner {
            tid: field(prev.cast(), TASK_PID.load()),
            tgid: field(prev.cast(), TASK_TGID.load()),
            until: now,
        };
        log.next += 1;
    }
}

/// The thread waits for `cpu` from now on.
#[inline(always)]
fn join(thread: &mut Thread, cpu: u32, now: u64) {
    leave(thread);
    if thread.holder != 0 {
        return;
    }
    let Some(queue) = CPUS.get_ptr_mut(cpu) else {
        return;
    };
    // SAFETY: a map value; the count is changed atomically, the log's number is read as it stands.
    unsafe {
        core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) &raw mut (*queue).waiters, in(reg) 1u64);
        thread.log_first = (&raw const (*queue).log.next).read_volatile();
    }
    thread.queued_on = u64::from(cpu) + 1;
    thread.queued_at = now;
}

/// The thread, leaving this CPU, waits for it.
#[inline(always)]
pub(crate) fn preempted(thread: &mut Thread, now: u64) {
    join(thread, this_cpu(), now);
}

/// The thread, `task`, was put on a run queue.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn enqueued(task: *const task_struct, thread: &mut Thread, now: u64) {
    if TASK_CPU.load() == ABSENT {
        return;
    }
    // SAFETY: the caller's.
    let cpu = unsafe { field(task.cast(), TASK_CPU.load()) };
    join(thread, cpu, now);
}

/// The thread moves to another CPU's run queue: who had the CPU it leaves is not told.
#[inline(always)]
pub(crate) fn moved(thread: &mut Thread, cpu: u32, now: u64) {
    join(thread, cpu, now);
}

/// The thread waits no longer.
#[inline(always)]
pub(crate) fn leave(thread: &mut Thread) {
    if thread.queued_on == 0 {
        return;
    }
    if let Some(queue) = CPUS.get_ptr_mut((thread.queued_on - 1) as u32) {
        // SAFETY: a map value, changed atomically; this thread was counted.
        unsafe {
            core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) &raw mut (*queue).waiters, in(reg) u64::MAX);
        }
    }
    thread.queued_on = 0;
}

/// The thread has this CPU now, after a wait of which `throttled` ns were withheld.
#[inline(always)]
pub(crate) fn got(thread: &mut Thread, throttled: u64, now: u64) {
    let here = this_cpu();
    let waited = thread.queued_on == u64::from(here) + 1;
    leave(thread);
    if !waited || now < thread.queued_at + TOLD_FROM {
        return;
    }
    let Some(cpu) = CPUS.get_ptr_mut(here) else {
        return;
    };
    // SAFETY: a map value; only this CPU writes its log.
    let log = unsafe { &mut (*cpu).log };
    log.head = Head {
        kind: Kind::Queued as u32,
        lost: 0,
        socket: 0,
    };
    log.tid = thread.past.tid;
    log.tgid = thread.tgid;
    // The last change is the end of this wait, the one before it the beginning.
    let before = thread.past.next.wrapping_sub(2) as usize % CHANGES;
    log.after = thread.past.changes[before].state();
    log.from = thread.queued_at;
    log.to = now;
    log.throttled = throttled;
    log.first = thread.log_first;
    emit(log, Count::WaitLost);
}
