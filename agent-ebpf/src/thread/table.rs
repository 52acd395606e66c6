//! The table of tracked threads and its gate.

use agent_common::{
    ID_WORDS, PRESENT, ProbeCounter, ThreadState, TrackedThread, ids::word_and_bit,
};

use aya_ebpf::bindings::BPF_NOEXIST;

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
    match lookup(ids.0) {
        None => {
            begin(ids, now, true);
        }
        Some(thread) => {
            // SAFETY: a map value, and its own thread is the current one.
            let thread = unsafe { &mut *thread };
            if thread.is_holder == PRESENT {
                thread.is_holder = 1;
            }
        }
    }
}

/// Begins to track the current thread, (id, process); `None` (and counted) when the table is full.
#[inline(always)]
pub(crate) fn begin(
    (tid, tgid): (u32, u32),
    now: u64,
    is_holder: bool,
) -> Option<*mut TrackedThread> {
    let thread = insert((tid, tgid), now, 0)?;
    // SAFETY: a map value; nothing else writes it before its bit is set.
    unsafe { (*thread).is_holder = u32::from(is_holder) };
    set_tracked(tid, true);
    Some(thread)
}

/// Puts a thread into the table that was there before the agent, (id, process), without its bit:
/// [`set_tracked`] has to follow. `None` when it is there already, or (counted) when the table is
/// full.
#[inline(always)]
pub(crate) fn begin_present(ids: (u32, u32), now: u64) -> Option<*mut TrackedThread> {
    if THREADS.get_ptr(ids.0).is_some() {
        return None;
    }
    insert(ids, now, u64::from(BPF_NOEXIST))
}

/// Puts a thread, (id, process), into the table, running and without its bit; `None` (and counted)
/// when the table is full.
#[inline(always)]
fn insert((tid, tgid): (u32, u32), now: u64, flags: u64) -> Option<*mut TrackedThread> {
    let zero = ZERO_THREAD.get(0)?;
    if tid / 64 >= ID_WORDS || THREADS.insert(tid, zero, flags).is_err() {
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
        (*thread).history.tid = tid;
        (*thread).history.began_ns = now;
        (*thread).history.push(now, ThreadState::Unknown as u32, 0);
    }
    Some(thread)
}

/// Removes the current thread from the table.
#[inline(always)]
pub(crate) fn remove(tid: u32) {
    set_tracked(tid, false);
    // Fails only when it is gone already.
    let _gone = THREADS.remove(tid);
}

/// Sets or clears the thread's bit. The word is shared with its neighbours, and a thread that was
/// there before the agent may begin to read while it is put into the table: both set the bit
/// atomically, and setting it twice does no harm.
#[inline(always)]
pub(crate) fn set_tracked(tid: u32, on: bool) {
    if is_tracked(tid) == on {
        return;
    }
    let (index, bit) = word_and_bit(tid);
    if let Some(word) = TRACKED.get_ptr_mut(index) {
        // SAFETY: an aligned map value, shared only through atomics.
        unsafe {
            if on {
                core::arch::asm!("lock *(u64 *)({0} + 0) |= {1}", in(reg) word, in(reg) bit);
            } else {
                core::arch::asm!("lock *(u64 *)({0} + 0) &= {1}", in(reg) word, in(reg) !bit);
            }
        }
    }
}
