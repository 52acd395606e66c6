//! Sockets whose connect(2) or accept(2) was not observed: found when they are read.

use agent_common::{
    OpenReason, ProbeCounter, StreamContent, TrackedSocket, framing::word_may_start,
};
use aya_ebpf::{cty::c_void, helpers::generated::bpf_probe_read_user};

use super::{
    table::{insert, open, remove},
    tcp_sock::receive_side,
};
use crate::{
    maps::OTHERS,
    memory::opaque,
    ring_buffer::count,
    task::{current_syscall, discovers},
    user_buffers::{self, Buffers},
};

/// The first receive call, of `len` bytes, on a socket that is not tracked.
///
/// # Safety
/// `sk` is a socket the verifier knows, and the current thread is in a receive call on it.
#[inline(always)]
pub(crate) unsafe fn found_by_read(
    sk: *const c_void,
    tgid: u32,
    len: u32,
) -> Option<*mut TrackedSocket> {
    // SAFETY: the caller's.
    unsafe {
        let mut first = false;
        if discovers() {
            // SAFETY: a map value.
            if OTHERS.get_ptr(sk as u64).is_some() {
                return None;
            }
            let tcp = receive_side(sk)?;
            first = tcp.position == Some(u64::from(len));
            if first && !begins_fix(len) {
                ignore(sk);
                return None;
            }
        } else {
            receive_side(sk)?;
        }
        let socket = insert(sk, tgid, StreamContent::Undecided)?;
        open(sk, &mut *socket, OpenReason::Read);
        if first {
            (*socket).from_start = 1;
            (*socket).walk.next_seq = (*socket).walk.next_seq.wrapping_sub(len);
        }
        Some(socket)
    }
}

/// Whether the `len` bytes that the current thread has just received begin a FIX message, as far as
/// they go; also when they cannot be read.
#[inline(always)]
fn begins_fix(len: u32) -> bool {
    let Some(buffers) = Buffers::of_first(&current_syscall()) else {
        return true;
    };
    let (mut start, mut room) = (buffers.start, u64::from(len));
    if buffers.count > 0 {
        let Some(first) = user_buffers::iovec(buffers.start) else {
            return true;
        };
        (start, room) = (first.start, first.len);
    }
    let room = if room < u64::from(len) {
        room
    } else {
        u64::from(len)
    };
    let bytes = if room < 5 { room } else { 5 };
    let mut word = 0u64;
    // SAFETY: at most five bytes into a word; the helper checks the user address.
    let copied = unsafe {
        bpf_probe_read_user(
            (&raw mut word).cast(),
            opaque(bytes) as u32 & 7,
            start as *const c_void,
        )
    };
    copied != 0 || word_may_start(word, bytes)
}

/// The socket carries something else: it is ignored from now on.
#[inline(always)]
fn ignore(sk: *const c_void) {
    count(ProbeCounter::StreamNotFix);
    // An LRU map takes what it is given.
    let _inserted = OTHERS.insert(sk as u64, 1u8, 0);
}

/// A tracked socket carries something else: it leaves the table when no target was named.
#[inline(always)]
pub(crate) fn dismissed(sk: *const c_void) {
    if discovers() {
        ignore(sk);
        remove(sk as u64);
    }
}
