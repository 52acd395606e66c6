//! Writing records to the ring buffer, and counting those that found it full.

use agent_common::{ProbeCounter, is_wake_up_due};
use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::bpf_ringbuf_output,
};

use crate::maps::{COUNTS, RING};

/// Adds one to a counter.
#[inline(always)]
pub(crate) fn count(counter: ProbeCounter) {
    if let Some(n) = COUNTS.get_ptr_mut(counter as u32) {
        // SAFETY: a map value of this CPU; a nested probe may lose one increment of another's.
        unsafe { *n += 1 };
    }
}

/// Whether so much of the ring buffer is unread that the agent is to be woken.
#[inline(always)]
pub(crate) fn is_filling() -> bool {
    is_wake_up_due(RING.query(u64::from(BPF_RB_AVAIL_DATA)))
}

/// The flags of a wake-up. The agent drains the ring buffer on a timer; it is woken only when the
/// buffer is filling, or for an urgent record, so that a quiet session does not pay an interrupt and
/// a wake-up per record.
#[inline(always)]
fn wake_flags(urgent: bool) -> u64 {
    if urgent || is_filling() {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}

/// Writes a record; `false` (and counted) when the ring buffer is full.
#[inline(always)]
pub(crate) fn emit<T>(record: &T, lost: ProbeCounter) -> bool {
    // SAFETY: a whole record.
    unsafe {
        emit_bytes(
            core::ptr::from_ref(record).cast(),
            size_of::<T>() as u64,
            false,
            lost,
        )
    }
}

/// Writes a record of `len` bytes from `start`; an `urgent` one wakes the agent. `false` (and
/// counted) when the ring buffer is full.
///
/// # Safety
/// They are readable; the verifier checks.
#[inline(always)]
pub(crate) unsafe fn emit_bytes(
    start: *const u8,
    len: u64,
    urgent: bool,
    lost: ProbeCounter,
) -> bool {
    // SAFETY: the caller's.
    let sent = unsafe {
        bpf_ringbuf_output(
            (&raw const RING).cast_mut().cast(),
            start.cast_mut().cast(),
            len,
            wake_flags(urgent),
        )
    };
    if sent < 0 {
        count(lost);
    }
    sent == 0
}
