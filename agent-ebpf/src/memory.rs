//! Reading kernel memory at offsets known only at load time.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// Reads a field of a kernel object the verifier knows, as a plain load.
///
/// # Safety
/// `base` came from the verifier's own types (a tracepoint's argument, a helper's result or a
/// pointer loaded from one) and `offset` from a global: the verifier checks both at load time.
#[inline(always)]
pub(crate) unsafe fn field<T: Copy>(base: *const u8, offset: u32) -> T {
    // SAFETY: the caller's.
    unsafe { base.add(offset as usize).cast::<T>().read() }
}

/// Reads a field of a kernel object at a bare address; `None` when the address does not map.
///
/// # Safety
/// None beyond `unsafe fn` habit: a bad address is an error, not a fault.
#[inline(always)]
pub(crate) unsafe fn peek<T: Copy>(base: u64, offset: u32) -> Option<T> {
    // SAFETY: probe_read_kernel checks the address.
    unsafe { bpf_probe_read_kernel((base + u64::from(offset)) as *const T).ok() }
}

/// Hides where a number came from, so that the compiler cannot move the bound check that follows
/// away from the register the verifier checks.
#[inline(always)]
pub(crate) fn opaque(mut n: u64) -> u64 {
    // A real instruction: line information of a template without one is refused by the kernel
    // (two lines at one offset).
    // SAFETY: a register moved onto itself.
    unsafe {
        core::arch::asm!("{0} = {0}", inout(reg) n, options(nomem, nostack, preserves_flags));
    };
    n
}
