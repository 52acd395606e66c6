//! The table of tracked threads and its gate.

use agent_common::{ID_WORDS, ProbeCounter, ThreadState, TrackedThread, ids::word_and_bit};

use crate::{
    maps::{THREADS, TRACKED, ZERO_THREAD, has_id},
    ring_buffer::count,
};

/// The gate: whether the thread is tracked.
#[inline(always)]
fn is_tracked(tid: u32) -> bool {
    has_id(&TRACKED, tid)
}

/// The tracked thread, past the gate.
#[inline(always)]
pub(crate) fn lookup(tid: u32) -> Option<*mut TrackedThread> {
    if is_tracked(tid) {
        THREADS.get_ptr_mut(tid)
    } else {
        None
    }
}

/// Tracks the current thread, which released a lock that a reader waited for: the agent can
/// read its state from now on.
#[inline(always)]
pub(crate) fn track_holder(ids: (u32, u32), now: u64) {
    if !is_tracked(ids.0) {
        begin(ids, now, true);
    }
}

/// Begins to track the current thread, (id, process); `None` (and counted) when the table is full.
#[inline(always)]
pub(crate) fn begin(
    (tid, tgid): (u32, u32),
    now: u64,
    is_holder: bool,
) -> Option<*mut TrackedThread> {
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
        (*thread).is_holder = u32::from(is_holder);
        (*thread).history.tid = tid;
        (*thread).history.push(now, ThreadState::Unknown as u32, 0);
    }
    set_tracked(tid, true);
    Some(thread)
}

/// Removes the current thread from the table.
#[inline(always)]
pub(crate) fn remove(tid: u32) {
    set_tracked(tid, false);
    // Fails only when it is gone already.
    let _gone = THREADS.remove(tid);
}

/// Sets or clears the thread's bit. Only the thread itself does so, in its own context; the word is
/// shared with its neighbours, so it is an atomic add of a bit known to be clear (or set).
#[inline(always)]
fn set_tracked(tid: u32, on: bool) {
    if is_tracked(tid) == on {
        return;
    }
    let (index, bit) = word_and_bit(tid);
    if let Some(word) = TRACKED.get_ptr_mut(index) {
        let change = if on { bit } else { bit.wrapping_neg() };
        // SAFETY: an aligned map value, shared only through atomics.
        unsafe {
            core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) word, in(reg) change);
        }
    }
}
