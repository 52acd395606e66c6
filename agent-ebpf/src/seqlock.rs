//! Writing a thread's counters so that readers on other CPUs see all of a change or none.

use agent_common::{TrackedThread, is_being_written};

/// Opens a write section: readers on other CPUs see an odd sequence and try again.
#[inline(always)]
pub(crate) fn begin_write(thread: &mut TrackedThread) {
    bump(thread);
}

/// Closes a write section.
#[inline(always)]
pub(crate) fn end_write(thread: &mut TrackedThread) {
    bump(thread);
}

/// Whether a writer is at work on another CPU: then the thread is still on its way off its CPU.
#[inline(always)]
pub(crate) fn is_written_elsewhere(thread: &TrackedThread) -> bool {
    // SAFETY: a field of a map value.
    is_being_written(unsafe { (&raw const thread.seq).read_volatile() })
}

/// x86 keeps stores in order (TSO), so the compiler is all there is to restrain.
#[cfg(not(bpf_target_arch = "aarch64"))]
#[inline(always)]
fn bump(thread: &mut TrackedThread) {
    use core::sync::atomic::{Ordering, compiler_fence};
    compiler_fence(Ordering::SeqCst);
    let seq = &raw mut thread.seq;
    // SAFETY: a field of a map value.
    unsafe { seq.write_volatile(seq.read_volatile().wrapping_add(1)) };
    compiler_fence(Ordering::SeqCst);
}

/// A fetching atomic is a full barrier (arch/arm64/net/bpf_jit_comp.c).
#[cfg(bpf_target_arch = "aarch64")]
#[inline(always)]
fn bump(thread: &mut TrackedThread) {
    let seq = &raw mut thread.seq;
    // SAFETY: an aligned field of a map value.
    unsafe {
        core::arch::asm!(
            "{1} = atomic_fetch_add((u64 *)({0} + 0), {1})",
            in(reg) seq,
            inout(reg) 1u64 => _,
        );
    }
}
