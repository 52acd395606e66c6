//! poll(2) and select(2): which descriptors a wait covers.

use agent_common::{
    ProbeCounter,
    syscall::{polls_for_reading, select_bit},
};
use aya_ebpf::{
    cty::{c_long, c_void},
    helpers::generated::{bpf_loop, bpf_probe_read_user},
};

use crate::{
    maps::{MAX_POLL_FDS, POLL_SCRATCH},
    memory::opaque,
    ring_buffer::count,
};

/// Copies the thread's array of `n` `struct pollfd`s; `false` (and counted) when that fails.
#[inline(always)]
pub(super) fn load_poll_set(fds: u64, n: u64) -> bool {
    let Some(scratch) = POLL_SCRATCH.get_ptr_mut(0) else {
        return false;
    };
    let n = opaque(n);
    if n > MAX_POLL_FDS as u64 {
        count(ProbeCounter::WaitUnresolved);
        return false;
    }
    // SAFETY: n entries of eight bytes fit the scratch; the helper checks the user address.
    let copied =
        unsafe { bpf_probe_read_user(scratch.cast(), (n * 8) as u32, fds as *const c_void) };
    if copied != 0 {
        count(ProbeCounter::WaitUnresolved);
    }
    copied == 0
}

/// A search for a descriptor in the poll set; on the stack of [`in_poll_set`].
struct Search {
    fd: i32,
    found: u32,
}

/// Whether the poll set loaded, of `n` entries, waits for this descriptor to become readable.
#[inline(always)]
pub(super) fn in_poll_set(fd: i32, n: u64) -> bool {
    let mut search = Search { fd, found: 0 };
    // A loop of its own: unrolled eight times, a plain one takes the verifier seconds.
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            n as u32,
            visit_entry as *const () as *mut c_void,
            (&raw mut search).cast(),
            0,
        );
    }
    search.found != 0
}

/// Visits one entry; returns 1 when it is the one.
unsafe extern "C" fn visit_entry(index: u64, search: *mut c_void) -> c_long {
    // SAFETY: the context given to bpf_loop above.
    let search = unsafe { &mut *search.cast::<Search>() };
    let index = opaque(index);
    let Some(scratch) = POLL_SCRATCH.get(0) else {
        return 1;
    };
    if index >= MAX_POLL_FDS as u64 {
        return 1;
    }
    // SAFETY: within the array.
    let entry = unsafe { *scratch.fds.as_ptr().add(index as usize) };
    if polls_for_reading(entry, search.fd) {
        search.found = 1;
        return 1;
    }
    0
}

/// Whether a select(2) on the set at `read_set` waits for this descriptor to become readable.
#[inline(always)]
pub(super) fn in_select_set(fd: i32, highest: u64, read_set: u64) -> bool {
    let Some((offset, bit)) = select_bit(fd, highest) else {
        return false;
    };
    if read_set == 0 {
        return false;
    }
    let mut word = 0u64;
    // SAFETY: a word on the stack; the helper checks the user address.
    let copied = unsafe {
        bpf_probe_read_user(
            (&raw mut word).cast(),
            8,
            (read_set + offset) as *const c_void,
        )
    };
    if copied != 0 {
        count(ProbeCounter::WaitUnresolved);
        return false;
    }
    word & bit != 0
}
