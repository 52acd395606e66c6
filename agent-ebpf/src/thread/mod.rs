//! Thread states of tracked threads, as cumulative counters.
//!
//! Writers are serialised by the scheduler: a switch-out by the run queue lock, a wake-up by the
//! task being off the CPU, a migration by both. The one overlap, a `sched_waking` that comes while
//! the thread is still on its way off the CPU, writes nothing: the `sched_wakeup` that follows
//! does.

use agent_common::{
    HISTORY_CHANGES, ID_WORDS, MIN_RECORDED_WAIT_NS, ProbeCounter, RecordHead, RecordKind,
    SleepEnded, StateChange, ThreadExited, ThreadState, TrackedSocket, TrackedThread,
};
use aya_ebpf::{bindings::task_struct, helpers::generated::bpf_get_current_task_btf};

use crate::{
    arch,
    bits::field,
    current::{current, now},
    fault, futex,
    globals::{TASK_PID, TASK_TGID},
    handoff,
    maps::{THREADS, TRACKED, ZERO_THREAD, holds},
    queue, rebuilt,
    ring::{count, emit},
    seqlock::{begin_write, end_write},
    throttle, wait,
};

/// The gate: whether the thread is tracked.
#[inline(always)]
fn tracked(tid: u32) -> bool {
    holds(&TRACKED, tid)
}

/// The tracked thread, past the gate.
#[inline(always)]
pub(crate) fn lookup(tid: u32) -> Option<*mut TrackedThread> {
    if tracked(tid) {
        THREADS.get_ptr_mut(tid)
    } else {
        None
    }
}

/// Tracks the current thread from now on; `None` (and counted) when the map is full.
#[inline(always)]
pub(crate) fn track(tid: u32, tgid: u32, now: u64) -> Option<*mut TrackedThread> {
    if let Some(known) = lookup(tid) {
        // SAFETY: a map value.
        let thread = unsafe { &mut *known };
        thread.is_holder = 0;
        acts(thread, now);
        return Some(known);
    }
    begin((tid, tgid), now, false)
}

/// Tracks the current thread, which released a lock that a reader waited for: what it is doing is
/// known from now on.
#[inline(always)]
pub(crate) fn track_holder(ids: (u32, u32), now: u64) {
    if !tracked(ids.0) {
        begin(ids, now, true);
    }
}

/// Tracks the current thread, (id, process), which is not.
#[inline(always)]
fn begin((tid, tgid): (u32, u32), now: u64, holder: bool) -> Option<*mut TrackedThread> {
    let zero = ZERO_THREAD.get(0)?;
    if tid / 64 >= ID_WORDS || THREADS.insert(tid, zero, 0).is_err() {
        count(ProbeCounter::ThreadMapFull);
        return None;
    }
    let thread = THREADS.get_ptr_mut(tid)?;
    // SAFETY: a map value; nothing else writes it before its bit is set.
    unsafe {
        (*thread).state = ThreadState::OnCpu as u32;
        (*thread).since_ns = now;
        (*thread).tgid = tgid;
        (*thread).syscall = -1;
        (*thread).is_holder = holder as u32;
        (*thread).history.tid = tid;
        remember(&mut *thread, now, ThreadState::Unknown as u32, 0);
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

/// Keeps in mind that a stretch in `state` ended at `at`.
#[inline(always)]
fn remember(thread: &mut TrackedThread, at: u64, state: u32, throttled: u64) {
    let next = thread.history.next;
    thread.history.changes[next as usize % HISTORY_CHANGES] =
        StateChange::new(at, state, throttled);
    thread.history.next = next.wrapping_add(1);
}

/// The thread is on its CPU, and a change of state was not seen, nor is it told elsewhere: the time
/// since the last one is charged to [`ThreadState::Unknown`].
#[inline(always)]
fn unseen(thread: &mut TrackedThread, now: u64) {
    count(ProbeCounter::SwitchUnobserved);
    let at = if now > thread.since_ns {
        now
    } else {
        thread.since_ns
    };
    remember(thread, at, ThreadState::Unknown as u32, 0);
    begin_write(thread);
    thread.state_ns[ThreadState::Unknown as usize] += at - thread.since_ns;
    thread.state = ThreadState::OnCpu as u32;
    thread.since_ns = at;
    end_write(thread);
    queue::leave(thread);
}

/// The thread, `task`, runs and was not seen to get its CPU: makes up for it. It is then on it.
///
/// # Safety
/// `task` is one the verifier knows.
#[inline(always)]
unsafe fn got_cpu(task: *const task_struct, thread: &mut TrackedThread, now: u64) {
    let asleep = asleep(thread);
    // SAFETY: the caller's task is one the verifier knows.
    let Some(account) = (unsafe { rebuilt::running(task, thread, asleep, now) }) else {
        unseen(thread, now);
        return;
    };
    if asleep {
        queued(thread, account.queued);
    }
    // SAFETY: the caller's.
    let throttled = unsafe { throttle::ended(task, thread) };
    charge(thread, account.arrived, ThreadState::OnCpu, throttled);
    queue::leave(thread);
    count(ProbeCounter::SwitchRebuilt);
}

/// The thread became runnable at `at`, which was not seen.
#[inline(always)]
fn queued(thread: &mut TrackedThread, at: u64) {
    let at = if at > thread.since_ns {
        at
    } else {
        thread.since_ns
    };
    if thread.state == ThreadState::LockWait as u32 {
        futex::interrupted(thread, at);
    } else {
        unblocked(thread, at);
    }
    thread.cfs_rq = 0;
    thread.throttle_moved_ns = 0;
    charge(thread, at, ThreadState::RunQueue, 0);
}

/// The thread is the current one.
#[inline(always)]
pub(crate) fn runs(thread: &mut TrackedThread, now: u64) {
    if thread.state != ThreadState::OnCpu as u32 {
        // SAFETY: the current task is known to the verifier.
        unsafe { got_cpu(bpf_get_current_task_btf(), thread, now) };
    }
}

/// The current thread becomes the reader of a socket: tells what it did last, which no arrival so
/// far was told with.
#[inline(always)]
pub(crate) fn tell_past(thread: &mut TrackedThread, socket: &mut TrackedSocket) {
    thread.history.head = RecordHead {
        kind: RecordKind::ReaderHistory as u32,
        lost: socket.lost,
        socket_id: socket.id,
    };
    if !emit(&thread.history, ProbeCounter::HistoryLost) {
        socket.lost += 1;
    }
}

/// The thread is the current one, and in a call of its own that is no wait for a lock.
#[inline(always)]
pub(crate) fn acts(thread: &mut TrackedThread, now: u64) {
    runs(thread, now);
    futex::over(thread);
}

/// Charges the time since the last event to the state in progress and enters `next`; `throttled` of
/// it goes to [`ThreadState::Throttle`]. Returns the instant used: `now`, or the last event's when
/// the clocks of two CPUs disagree.
#[inline(always)]
fn charge(thread: &mut TrackedThread, now: u64, next: ThreadState, throttled: u64) -> u64 {
    let since = thread.since_ns;
    let at = if now >= since {
        now
    } else {
        count(ProbeCounter::ClockBackwards);
        since
    };
    let passed = at - since;
    let withheld = if throttled > passed {
        passed
    } else {
        throttled
    };
    remember(thread, at, thread.state, withheld);
    begin_write(thread);
    match thread.state {
        0 => thread.state_ns[0] += passed,
        1 => {
            thread.state_ns[1] += passed - withheld;
            thread.state_ns[2] += withheld;
        }
        3 => thread.state_ns[3] += passed,
        _ => thread.state_ns[4] += passed,
    }
    thread.state = next as u32;
    thread.since_ns = at;
    end_write(thread);
    // Clock rates differ a little; a microsecond over is no finding.
    if throttled > passed + 1_000 {
        count(ProbeCounter::ThrottleClamped);
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
        let awaited = queue::awaited();
        if out.is_none() && into.is_none() && awaited.is_none() {
            return;
        }
        let now = now();
        if let Some(cpu) = awaited {
            queue::ran(cpu, prev, now);
        }
        if let Some(thread) = out {
            let asleep = !preempted && prev_state != 0;
            (*thread).preempted_by = if asleep {
                0
            } else {
                field(next.cast(), TASK_TGID.load())
            };
            left(prev, &mut *thread, prev_tid, asleep, now);
        }
        if let Some(thread) = into
            && !fault::skips_switch()
        {
            entered(next, &mut *thread, now);
        }
    }
}

#[inline(always)]
unsafe fn left(
    task: *const task_struct,
    thread: &mut TrackedThread,
    tid: u32,
    asleep: bool,
    now: u64,
) {
    // SAFETY: the caller's task is the tracepoint's argument.
    unsafe {
        runs(thread, now);
        if !asleep {
            let base = throttle::base(task, now);
            base.store(thread, 0);
            charge(thread, now, ThreadState::RunQueue, 0);
            queue::preempted(thread, now);
            return;
        }
        thread.run_delay_ns = rebuilt::run_delay(task);
        let call = arch::syscall(task);
        thread.syscall = call.number;
        thread.syscall_arg = call.args[0];
        let state = futex::slept(thread, &call, now);
        let at = charge(thread, now, state, 0);
        handoff::waits(task, thread, tid, &call, at);
    }
}

#[inline(always)]
unsafe fn entered(task: *const task_struct, thread: &mut TrackedThread, now: u64) {
    if thread.state == ThreadState::OnCpu as u32 {
        unseen(thread, now);
        return;
    }
    if asleep(thread) {
        // SAFETY: the caller's task is the tracepoint's argument.
        if let Some(at) = unsafe { rebuilt::waiting(task, thread, now) } {
            queued(thread, at);
            count(ProbeCounter::SwitchRebuilt);
        }
    }
    // SAFETY: the caller's task is the tracepoint's argument.
    let throttled = if thread.state == ThreadState::RunQueue as u32 {
        unsafe { throttle::ended(task, thread) }
    } else {
        0
    };
    let at = charge(thread, now, ThreadState::OnCpu, throttled);
    queue::got(thread, throttled, at);
}

#[inline(always)]
fn asleep(thread: &TrackedThread) -> bool {
    thread.state == ThreadState::LockWait as u32 || thread.state == ThreadState::Blocked as u32
}

/// Whether a writer is at work on another CPU: then the thread is still on its way off its CPU.
#[inline(always)]
fn being_written(thread: &TrackedThread) -> bool {
    // SAFETY: a field of a map value.
    unsafe { (&raw const thread.seq).read_volatile() & 1 != 0 }
}

/// The thread's sleep in something else than futex(2) is over.
#[inline(always)]
fn unblocked(thread: &TrackedThread, at: u64) {
    if at < thread.since_ns + MIN_RECORDED_WAIT_NS {
        return;
    }
    wait::told(
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

#[inline(always)]
fn wake(thread: &mut TrackedThread, now: u64) {
    let now = if now > thread.since_ns {
        now
    } else {
        thread.since_ns
    };
    if thread.state == ThreadState::LockWait as u32 {
        futex::woken(thread, now);
    } else {
        unblocked(thread, now);
    }
    // The run queue is not chosen yet; `sched_wakeup` tells.
    thread.cfs_rq = 0;
    thread.throttle_moved_ns = 0;
    charge(thread, now, ThreadState::RunQueue, 0);
}

/// The wake-up of `task` begins.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn waking(task: *const task_struct) {
    // SAFETY: the caller's, and map values.
    unsafe {
        if let Some(waker) = lookup(current().0) {
            futex::wakes(&mut *waker);
        }
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
        if thread.state == ThreadState::RunQueue as u32 && thread.cfs_rq == 0 {
            let base = throttle::base(task, now);
            begin_write(thread);
            base.store(thread, 0);
            end_write(thread);
            queue::enqueued(task, thread, now);
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
        if thread.state == ThreadState::RunQueue as u32 {
            let now = now();
            let left = thread.cfs_rq;
            throttle::migrate(thread, cpu, now);
            if thread.queued_on != 0 {
                queue::moved(thread, left, cpu, now);
            }
        }
    }
}

/// The current thread is of a process that is to be left alone.
#[inline(always)]
pub(crate) fn untrack(tid: u32) {
    let Some(thread) = lookup(tid) else {
        return;
    };
    // SAFETY: a map value.
    queue::leave(unsafe { &mut *thread });
    flip(tid, false);
    // Fails only when it is gone already.
    let _gone = THREADS.remove(tid);
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
    let thread = unsafe { &mut *thread };
    // Nobody else would take it off the queue it was last on, should its getting the CPU not have
    // been seen.
    queue::leave(thread);
    let (tgid, lost) = (thread.tgid, thread.lost);
    let record = ThreadExited {
        head: RecordHead {
            kind: RecordKind::ThreadExited as u32,
            lost,
            socket_id: 0,
        },
        at_ns: now(),
        tid,
        tgid,
    };
    emit(&record, ProbeCounter::LifecycleLost);
    flip(tid, false);
    // Fails only when it is gone already.
    let _gone = THREADS.remove(tid);
}
