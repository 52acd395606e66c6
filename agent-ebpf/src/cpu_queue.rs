//! Who had the CPU while a tracked thread waited for it.
//!
//! Each CPU keeps its switches while somebody waits for it, in blocks: a full one is handed over,
//! and a thread that gets the CPU hands over what there is of the next, with the length of its
//! wait. Which switches fall into the wait is told by their numbers. With each is kept how long the
//! one who waits was throttled meanwhile: then who ran was not in its way.

use agent_common::{
    ABSENT, CpuQueue, CpuTurn, HISTORY_CHANGES, MIN_RECORDED_WAIT_NS, ProbeCounter, RecordHead,
    RecordKind, RunQueueWait, TURNS_PER_BLOCK, TrackedThread,
};
use aya_ebpf::{
    bindings::task_struct,
    helpers::generated::{bpf_get_smp_processor_id, bpf_probe_read_kernel},
};

use crate::{
    bits::{field, opaque},
    globals::{TASK_CPU, TASK_PID, TASK_TGID},
    maps::{CPUS, QUEUED_SCRATCH},
    ring::emit_bytes,
    throttle,
};

#[inline(always)]
fn this_cpu() -> u32 {
    // SAFETY: no arguments.
    unsafe { bpf_get_smp_processor_id() }
}

/// This CPU, while somebody waits for it.
#[inline(always)]
pub(crate) fn awaited() -> Option<*mut CpuQueue> {
    let cpu = CPUS.get_ptr_mut(this_cpu())?;
    // SAFETY: a map value; a waiter that is missed by a moment misses one switch.
    (unsafe { (&raw const (*cpu).waiters).read_volatile() } != 0).then_some(cpu)
}

/// `prev` leaves the CPU.
///
/// # Safety
/// `prev` is the tracepoint's argument, `cpu` this CPU.
#[inline(always)]
pub(crate) unsafe fn ran(cpu: *mut CpuQueue, prev: *const task_struct, now: u64) {
    // SAFETY: the caller's; only this CPU writes its log.
    unsafe {
        let (withheld, group) = withheld(cpu);
        let log = &mut (*cpu).log;
        log.turns[log.next_turn as usize % TURNS_PER_BLOCK] = CpuTurn {
            tid: field(prev.cast(), TASK_PID.load()),
            tgid: field(prev.cast(), TASK_TGID.load()),
            until_ns: now,
            throttled_ns: withheld,
            cfs_rq_low: group,
        };
        log.next_turn += 1;
        if log.next_turn as usize % TURNS_PER_BLOCK == 0 {
            log.head = head(RecordKind::CpuTurns);
            log.cpu = this_cpu();
            tell(log, TURNS_PER_BLOCK as u64);
        }
    }
}

/// How long the one who came last to wait for this CPU was throttled since the last switch, and its
/// group.
#[inline(always)]
unsafe fn withheld(cpu: *mut CpuQueue) -> (u32, u32) {
    // SAFETY: a map value; what other CPUs write is read as it stands, the rest only this CPU
    // writes.
    unsafe {
        let group = (&raw const (*cpu).last_waiter_cfs_rq).read_volatile();
        let fresh = (&raw const (*cpu).waiter_is_new).read_volatile() != 0;
        let Some(clock) = throttle::shown(group) else {
            return (0, 0);
        };
        // Since when the clock counts is known from switch to switch only.
        let known = !fresh && (*cpu).clock_cfs_rq == group;
        let passed = clock.wrapping_sub((*cpu).clock_ns);
        (*cpu).clock_cfs_rq = group;
        (*cpu).clock_ns = clock;
        if fresh {
            (&raw mut (*cpu).waiter_is_new).write_volatile(0);
        }
        if !known {
            return (0, 0);
        }
        let most = u64::from(u32::MAX);
        let passed = if passed < most { passed } else { most };
        (passed as u32, group as u32)
    }
}

const fn head(kind: RecordKind) -> RecordHead {
    RecordHead {
        kind: kind as u32,
        lost: 0,
        socket_id: 0,
    }
}

/// Hands over a record with so many of its runners.
#[inline(always)]
fn tell(record: &RunQueueWait, runners: u64) {
    const EACH: u64 = size_of::<CpuTurn>() as u64;
    const NONE: u64 = size_of::<RunQueueWait>() as u64 - TURNS_PER_BLOCK as u64 * EACH;
    let runners = opaque(runners);
    if runners > TURNS_PER_BLOCK as u64 {
        return;
    }
    // SAFETY: within the record.
    unsafe {
        emit_bytes(
            core::ptr::from_ref(record).cast(),
            NONE + runners * EACH,
            false,
            ProbeCounter::WaitLost,
        );
    }
}

/// The thread waits for `cpu` from now on.
#[inline(always)]
fn join(thread: &mut TrackedThread, cpu: u32, now: u64) {
    leave(thread);
    if thread.is_holder != 0 {
        return;
    }
    let Some(queue) = CPUS.get_ptr_mut(cpu) else {
        return;
    };
    // SAFETY: a map value; the count is changed atomically, the log's number is read as it stands.
    // Of two that come at once, one is believed to be the other's: its throttled time is then
    // spread over who ran.
    unsafe {
        let alone = (&raw const (*queue).waiters).read_volatile() == 0;
        if alone || (&raw const (*queue).last_waiter_cfs_rq).read_volatile() != thread.cfs_rq {
            (&raw mut (*queue).last_waiter_cfs_rq).write_volatile(thread.cfs_rq);
            (&raw mut (*queue).waiter_is_new).write_volatile(1);
        }
        core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) &raw mut (*queue).waiters, in(reg) 1u64);
        thread.first_turn = (&raw const (*queue).log.next_turn).read_volatile();
    }
    thread.queued_on = u64::from(cpu) + 1;
    thread.queued_at_ns = now;
    thread.throttle_recorded_ns = 0;
}

/// The thread, leaving this CPU, waits for it.
#[inline(always)]
pub(crate) fn preempted(thread: &mut TrackedThread, now: u64) {
    join(thread, this_cpu(), now);
}

/// The thread, `task`, was put on a run queue.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn enqueued(task: *const task_struct, thread: &mut TrackedThread, now: u64) {
    if TASK_CPU.load() == ABSENT {
        return;
    }
    // SAFETY: the caller's.
    let cpu = unsafe { field(task.cast(), TASK_CPU.load()) };
    join(thread, cpu, now);
}

/// The thread moves to another CPU's run queue from that of `left`, a `cfs_rq` there: tells who had
/// that CPU.
#[inline(always)]
pub(crate) fn moved(thread: &mut TrackedThread, left: u64, cpu: u32, now: u64) {
    let until = thread.throttle_moved_ns;
    if now >= thread.queued_at_ns + MIN_RECORDED_WAIT_NS
        && let Some(queue) = CPUS.get_ptr((thread.queued_on - 1) as u32)
        && let Some(scratch) = QUEUED_SCRATCH.get_ptr_mut(0)
    {
        // SAFETY: map values; the scratch is this CPU's. Another CPU may switch meanwhile: it
        // writes behind what is looked at here, unless a block becomes full, which then is told by
        // itself.
        unsafe {
            let log = &raw const (*queue).log;
            let record = &mut *scratch;
            let next = (&raw const (*log).next_turn).read_volatile();
            let copied = bpf_probe_read_kernel(
                (&raw mut record.turns).cast(),
                size_of_val(&record.turns) as u32,
                (&raw const (*log).turns).cast(),
            );
            let after = (&raw const (*log).next_turn).read_volatile();
            let in_block = after / TURNS_PER_BLOCK as u64 == next / TURNS_PER_BLOCK as u64;
            let runners = if copied == 0 && in_block {
                next % TURNS_PER_BLOCK as u64
            } else {
                0
            };
            record.cpu = (thread.queued_on - 1) as u32;
            record.next_turn = next;
            (record.current_tid, record.current_tgid) = throttle::current_of(left);
            // The last change began this wait.
            wait_of(record, thread, 1, left, until, now);
            tell(record, runners);
        }
        thread.throttle_recorded_ns = until;
    }
    let told = thread.throttle_recorded_ns;
    join(thread, cpu, now);
    thread.throttle_recorded_ns = told;
}

/// Fills in the wait of a thread that was throttled for `throttled` ns of its stretch so far; `ago`
/// changes ago it was in another state.
#[inline(always)]
fn wait_of(
    record: &mut RunQueueWait,
    thread: &TrackedThread,
    ago: u32,
    group: u64,
    throttled: u64,
    now: u64,
) {
    record.head = head(RecordKind::RunQueueWait);
    record.tid = thread.history.tid;
    record.tgid = thread.tgid;
    let before = thread.history.next.wrapping_sub(ago) as usize % HISTORY_CHANGES;
    record.state_before = thread.history.changes[before].state();
    record.from_ns = thread.queued_at_ns;
    record.to_ns = now;
    record.throttled_ns = throttled.saturating_sub(thread.throttle_recorded_ns);
    record.first_turn = thread.first_turn;
    record.cfs_rq_low = group as u32;
}

/// The thread waits no longer.
#[inline(always)]
pub(crate) fn leave(thread: &mut TrackedThread) {
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
pub(crate) fn got(thread: &mut TrackedThread, throttled: u64, now: u64) {
    let here = this_cpu();
    let waited = thread.queued_on == u64::from(here) + 1;
    leave(thread);
    if !waited || now < thread.queued_at_ns + MIN_RECORDED_WAIT_NS {
        return;
    }
    let Some(cpu) = CPUS.get_ptr_mut(here) else {
        return;
    };
    // SAFETY: a map value; only this CPU writes its log.
    let log = unsafe { &mut (*cpu).log };
    log.cpu = here;
    (log.current_tid, log.current_tgid) = (0, 0);
    // The last change is the end of this wait, the one before it the beginning.
    wait_of(log, thread, 2, thread.cfs_rq, throttled, now);
    tell(log, log.next_turn % TURNS_PER_BLOCK as u64);
}
