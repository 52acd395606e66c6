//! Thread states of tracked threads, as cumulative counters.
//!
//! Writers are serialised by the scheduler: a switch-out by the run queue lock, a wake-up by the
//! task being off the CPU, a migration by both. The one overlap, a `sched_waking` that comes while
//! the thread is still on its way off the CPU, writes nothing: the `sched_wakeup` that follows does.

use agent_common::{Count, Exit, Head, Kind, State, Thread};
use aya_ebpf::bindings::task_struct;

use crate::{
    arch,
    bits::field,
    current::now,
    futex,
    globals::TASK_PID,
    handoff,
    maps::{THREADS, TRACKED, TRACKED_WORDS, ZERO_THREAD},
    ring::{count, emit},
    seqlock::{begin_write, end_write},
    throttle,
};

/// The gate: whether the thread is tracked.
#[inline(always)]
fn tracked(tid: u32) -> bool {
    match TRACKED.get(tid / 64) {
        Some(word) => word & (1 << (tid % 64)) != 0,
        None => false,
    }
}

/// The tracked thread, past the gate.
#[inline(always)]
fn lookup(tid: u32) -> Option<*mut Thread> {
    if tracked(tid) {
        THREADS.get_ptr_mut(tid)
    } else {
        None
    }
}

/// Tracks the current thread from now on; `None` (and counted) when the map is full.
#[inline(always)]
pub(crate) fn track(tid: u32, tgid: u32, now: u64) -> Option<*mut Thread> {
    if let Some(known) = lookup(tid) {
        return Some(known);
    }
    let zero = ZERO_THREAD.get(0)?;
    if tid / 64 >= TRACKED_WORDS || THREADS.insert(tid, zero, 0).is_err() {
        count(Count::ThreadsFull);
        return None;
    }
    let thread = THREADS.get_ptr_mut(tid)?;
    // SAFETY: a map value; nothing else writes it before its bit is set.
    unsafe {
        (*thread).state = State::OnCpu as u32;
        (*thread).since = now;
        (*thread).tgid = tgid;
        (*thread).call = -1;
    }
    flip(tid, true);
    Some(thread)
}

/// Sets or clears the thread's bit. Only the thread itself does so, in its own context; the word is
/// shared with its neighbours, so it is an atomic add of a bit known to be clear (or set).
#[inline(always)]
fn flip(tid: u32, on: bool) {
    if tracked(tid) == on {
        return;
    }
    let bit = 1u64 << (tid % 64);
    if let Some(word) = TRACKED.get_ptr_mut(tid / 64) {
        let change = if on { bit } else { bit.wrapping_neg() };
        // SAFETY: an aligned map value, shared only through atomics.
        unsafe {
            core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) word, in(reg) change);
        }
    }
}

/// Charges the time since the last event to the state in progress and enters `next`; `throttled`
/// of it goes to [`State::Throttle`]. Returns the instant used: `now`, or the last event's when the
/// clocks of two CPUs disagree.
#[inline(always)]
fn charge(thread: &mut Thread, now: u64, next: State, throttled: u64) -> u64 {
    let since = thread.since;
    let at = if now >= since {
        now
    } else {
        count(Count::ClockBackwards);
        since
    };
    let passed = at - since;
    let withheld = if throttled > passed {
        passed
    } else {
        throttled
    };
    begin_write(thread);
    match thread.state {
        0 => thread.ns[0] += passed,
        1 => {
            thread.ns[1] += passed - withheld;
            thread.ns[2] += withheld;
        }
        3 => thread.ns[3] += passed,
        _ => thread.ns[4] += passed,
    }
    thread.state = next as u32;
    thread.since = at;
    end_write(thread);
    // Clock rates differ a little; a microsecond over is no finding.
    if throttled > passed + 1_000 {
        count(Count::ThrottleCut);
    }
    at
}

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
        let out = lookup(prev_tid);
        let into = lookup(next_tid);
        if out.is_none() && into.is_none() {
            return;
        }
        let now = now();
        if let Some(thread) = out {
            left(
                prev,
                &mut *thread,
                prev_tid,
                !preempted && prev_state != 0,
                now,
            );
        }
        if let Some(thread) = into {
            entered(next, &mut *thread, now);
        }
    }
}

#[inline(always)]
unsafe fn left(task: *const task_struct, thread: &mut Thread, tid: u32, asleep: bool, now: u64) {
    // SAFETY: the caller's task is the tracepoint's argument.
    unsafe {
        if !asleep {
            let base = throttle::base(task, now);
            base.store(thread, 0);
            charge(thread, now, State::RunQueue, 0);
            return;
        }
        let call = arch::syscall(task);
        thread.call = call.number;
        thread.call_arg = call.args[0];
        let state = futex::slept(thread, &call, now);
        let at = charge(thread, now, state, 0);
        handoff::slept(task, thread, tid, &call, at);
    }
}

#[inline(always)]
unsafe fn entered(task: *const task_struct, thread: &mut Thread, now: u64) {
    // SAFETY: the caller's task is the tracepoint's argument.
    let throttled = if thread.state == State::RunQueue as u32 {
        unsafe { throttle::ended(task, thread) }
    } else {
        0
    };
    charge(thread, now, State::OnCpu, throttled);
}

#[inline(always)]
fn asleep(thread: &Thread) -> bool {
    thread.state == State::LockWait as u32 || thread.state == State::Blocked as u32
}

/// Whether a writer is at work on another CPU: then the thread is still on its way off its CPU.
#[inline(always)]
fn being_written(thread: &Thread) -> bool {
    // SAFETY: a field of a map value.
    unsafe { (&raw const thread.seq).read_volatile() & 1 != 0 }
}

#[inline(always)]
fn wake(thread: &mut Thread, now: u64) {
    if thread.state == State::LockWait as u32 {
        futex::woken(thread, now);
    }
    // The run queue is not chosen yet; `sched_wakeup` tells.
    thread.cfs_rq = 0;
    thread.throttle_moved = 0;
    charge(thread, now, State::RunQueue, 0);
}

/// The wake-up of `task` begins.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn waking(task: *const task_struct) {
    // SAFETY: the caller's.
    unsafe {
        let Some(thread) = lookup(field::<u32>(task.cast(), TASK_PID.load())) else {
            return;
        };
        let thread = &mut *thread;
        if !being_written(thread) && asleep(thread) {
            wake(thread, now());
        }
    }
}

/// `task` is on its run queue.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn woken(task: *const task_struct) {
    // SAFETY: the caller's.
    unsafe {
        let Some(thread) = lookup(field::<u32>(task.cast(), TASK_PID.load())) else {
            return;
        };
        let thread = &mut *thread;
        let now = now();
        if asleep(thread) {
            wake(thread, now);
        }
        if thread.state == State::RunQueue as u32 && thread.cfs_rq == 0 {
            let base = throttle::base(task, now);
            begin_write(thread);
            base.store(thread, 0);
            end_write(thread);
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
        if thread.state == State::RunQueue as u32 {
            throttle::migrate(thread, cpu, now());
        }
    }
}

/// `task`, the current one, ends.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn exited(task: *const task_struct) {
    // SAFETY: the caller's.
    let tid = unsafe { field::<u32>(task.cast(), TASK_PID.load()) };
    let Some(thread) = lookup(tid) else {
        return;
    };
    // SAFETY: a map value.
    let (tgid, lost) = unsafe { ((*thread).tgid, (*thread).lost) };
    let record = Exit {
        head: Head {
            kind: Kind::Exit as u32,
            lost,
            socket: 0,
        },
        at: now(),
        tid,
        tgid,
    };
    emit(&record, Count::LifeLost);
    flip(tid, false);
    // Fails only when it is gone already.
    let _gone = THREADS.remove(tid);
}
