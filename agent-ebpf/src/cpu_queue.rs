//! Who had the CPU while a tracked thread waited for it.
//!
//! Each CPU keeps its turns while somebody waits for it, in blocks: a full one is written to the
//! ring buffer, and a thread that gets the CPU writes what there is of the next, with the length of
//! its wait. The numbers of the turns say which fall into the wait. Each turn has the time for which
//! the waiting thread was throttled meanwhile: whoever ran then was not in its way.

use agent_common::{
    ABSENT, CpuQueue, CpuTurn, ProbeCounter, RecordHead, RecordKind, RunQueueWait, TURNS_PER_BLOCK,
    TrackedThread, in_one_block, is_recorded, place_in_block, saturate,
};
use aya_ebpf::{
    bindings::task_struct,
    helpers::generated::{bpf_get_smp_processor_id, bpf_probe_read_kernel},
};

use crate::{
    cfs_rq,
    globals::{TASK_CPU, TASK_PID, TASK_TGID},
    maps::{CPUS, QUEUED_SCRATCH},
    memory::{field, opaque},
    ring_buffer::emit_bytes,
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

/// The turn of `prev` on this CPU ends.
///
/// # Safety
/// `prev` is the tracepoint's argument, `cpu` this CPU.
#[inline(always)]
pub(crate) unsafe fn turn_ended(cpu: *mut CpuQueue, prev: *const task_struct, now: u64) {
    // SAFETY: the caller's; only this CPU writes its log.
    unsafe {
        let (throttled_ns, cfs_rq_low) = throttled_meanwhile(cpu);
        let log = &mut (*cpu).log;
        log.turns[place_in_block(log.next_turn)] = CpuTurn {
            tid: field(prev.cast(), TASK_PID.load()),
            tgid: field(prev.cast(), TASK_TGID.load()),
            until_ns: now,
            throttled_ns,
            cfs_rq_low,
        };
        log.next_turn += 1;
        if place_in_block(log.next_turn) == 0 {
            log.head = RecordHead::without_socket(RecordKind::CpuTurns);
            log.cpu = this_cpu();
            emit(log, TURNS_PER_BLOCK as u64);
        }
    }
}

/// How long the thread that began to wait for this CPU last was throttled since the last switch, ns,
/// and the low bits of its `cfs_rq`'s address.
#[inline(always)]
unsafe fn throttled_meanwhile(cpu: *mut CpuQueue) -> (u32, u32) {
    // SAFETY: a map value; what other CPUs write is read as it stands, the rest only this CPU
    // writes.
    unsafe {
        let cfs_rq = (&raw const (*cpu).last_waiter_cfs_rq).read_volatile();
        let is_new = (&raw const (*cpu).waiter_is_new).read_volatile() != 0;
        let Some(clock) = cfs_rq::throttle_clock(cfs_rq) else {
            return (0, 0);
        };
        // Only from one switch to the next is it certain which instant the clock counts from.
        let is_same_clock = !is_new && (*cpu).clock_cfs_rq == cfs_rq;
        let passed = clock.wrapping_sub((*cpu).clock_ns);
        (*cpu).clock_cfs_rq = cfs_rq;
        (*cpu).clock_ns = clock;
        if is_new {
            (&raw mut (*cpu).waiter_is_new).write_volatile(0);
        }
        if !is_same_clock {
            return (0, 0);
        }
        (saturate(passed), cfs_rq as u32)
    }
}

/// Writes a record with so many of its turns.
#[inline(always)]
fn emit(record: &RunQueueWait, turns: u64) {
    let turns = opaque(turns);
    if turns > TURNS_PER_BLOCK as u64 {
        return;
    }
    // SAFETY: within the record.
    unsafe {
        emit_bytes(
            core::ptr::from_ref(record).cast(),
            RunQueueWait::record_bytes(turns),
            false,
            ProbeCounter::WaitLost,
        );
    }
}

/// Adds to the number of threads that wait for a CPU; the other way round with `u64::MAX`.
///
/// # Safety
/// `queue` is a map value.
#[inline(always)]
unsafe fn add_waiters(queue: *mut CpuQueue, change: u64) {
    // SAFETY: a map value, changed atomically.
    unsafe {
        let waiters = &raw mut (*queue).waiters;
        core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) waiters, in(reg) change);
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
    // Of two that come at once, one is taken for the other: its throttled time is then spread over
    // the turns.
    unsafe {
        let alone = (&raw const (*queue).waiters).read_volatile() == 0;
        if alone || (&raw const (*queue).last_waiter_cfs_rq).read_volatile() != thread.cfs_rq {
            (&raw mut (*queue).last_waiter_cfs_rq).write_volatile(thread.cfs_rq);
            (&raw mut (*queue).waiter_is_new).write_volatile(1);
        }
        add_waiters(queue, 1);
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

/// The thread moves to another CPU's run queue, from that of `old_cfs_rq`: records who had the old
/// CPU.
#[inline(always)]
pub(crate) fn moved(thread: &mut TrackedThread, old_cfs_rq: u64, cpu: u32, now: u64) {
    let throttled = thread.throttle_moved_ns;
    if is_recorded(thread.queued_at_ns, now)
        && let Some(queue) = CPUS.get_ptr((thread.queued_on - 1) as u32)
        && let Some(scratch) = QUEUED_SCRATCH.get_ptr_mut(0)
    {
        // SAFETY: map values; the scratch is this CPU's. Another CPU may switch meanwhile: it
        // writes behind what is read here, unless a block becomes full, which then has a record of
        // its own.
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
            let turns = if copied == 0 && in_one_block(next, after) {
                place_in_block(next) as u64
            } else {
                0
            };
            record.cpu = (thread.queued_on - 1) as u32;
            record.next_turn = next;
            (record.current_tid, record.current_tgid) = cfs_rq::current_of(old_cfs_rq);
            // The last change began this wait.
            let wait = CpuWait {
                changes_ago: 1,
                cfs_rq: old_cfs_rq,
                throttled,
                now,
            };
            wait.fill(record, thread);
            emit(record, turns);
        }
        thread.throttle_recorded_ns = throttled;
    }
    let recorded = thread.throttle_recorded_ns;
    join(thread, cpu, now);
    thread.throttle_recorded_ns = recorded;
}

/// What a record says of the wait of a thread that is over, or goes on on another CPU.
struct CpuWait {
    /// The change of state with which the wait began; the last one is 1 ago.
    changes_ago: u32,
    /// The thread's `cfs_rq`.
    cfs_rq: u64,
    /// Throttled part of the runnable stretch so far, ns.
    throttled: u64,
    now: u64,
}

impl CpuWait {
    #[inline(always)]
    fn fill(&self, record: &mut RunQueueWait, thread: &TrackedThread) {
        record.head = RecordHead::without_socket(RecordKind::RunQueueWait);
        record.tid = thread.history.tid;
        record.tgid = thread.tgid;
        record.state_before = thread.history.state_before(self.changes_ago);
        record.from_ns = thread.queued_at_ns;
        record.to_ns = self.now;
        record.throttled_ns = self.throttled.saturating_sub(thread.throttle_recorded_ns);
        record.first_turn = thread.first_turn;
        record.cfs_rq_low = self.cfs_rq as u32;
    }
}

/// The thread waits no longer.
#[inline(always)]
pub(crate) fn leave(thread: &mut TrackedThread) {
    if thread.queued_on == 0 {
        return;
    }
    if let Some(queue) = CPUS.get_ptr_mut((thread.queued_on - 1) as u32) {
        // SAFETY: a map value, changed atomically; this thread was counted.
        unsafe { add_waiters(queue, u64::MAX) };
    }
    thread.queued_on = 0;
}

/// The thread has this CPU now, after a wait for `throttled` ns of which it was throttled.
#[inline(always)]
pub(crate) fn got_cpu(thread: &mut TrackedThread, throttled: u64, now: u64) {
    let here = this_cpu();
    let waited = thread.queued_on == u64::from(here) + 1;
    leave(thread);
    if !waited || !is_recorded(thread.queued_at_ns, now) {
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
    let wait = CpuWait {
        changes_ago: 2,
        cfs_rq: thread.cfs_rq,
        throttled,
        now,
    };
    wait.fill(log, thread);
    emit(log, place_in_block(log.next_turn) as u64);
}
