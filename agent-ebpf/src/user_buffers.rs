//! Where in user memory a receive call put its bytes, from the call's own arguments.

use agent_common::syscall::{Destination, Syscall};
use aya_ebpf::helpers::bpf_probe_read_user;

use crate::{
    maps::NEXT_MESSAGE,
    task::{current, is_target},
};

/// One buffer.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// The buffers of one call.
#[derive(Clone, Copy)]
pub(crate) struct Buffers {
    /// The buffer (recv, recvfrom, read: as long as what was received), or an array of `struct
    /// iovec` (readv, recvmsg, recvmmsg).
    pub(crate) start: u64,
    /// Entries of the array; 0 for a plain buffer.
    pub(crate) count: u64,
}

/// `struct iovec`: start, length.
pub(crate) const IOVEC_BYTES: u64 = 16;

/// Reads one entry of an array of buffers.
#[inline(always)]
pub(crate) fn iovec(address: u64) -> Option<Buffer> {
    Some(Buffer {
        start: word(address)?,
        len: word(address + 8)?,
    })
}

/// include/linux/socket.h `struct user_msghdr`: name, namelen, iov, iovlen, ..
const MSGHDR_IOV: u64 = 16;
const MSGHDR_IOVLEN: u64 = 24;

/// The current thread enters a recvmmsg(2).
#[inline(always)]
pub(crate) fn enters_recvmmsg(tid: u32, tgid: u32) {
    if is_target(tgid) {
        // An LRU map takes what it is given.
        let _inserted = NEXT_MESSAGE.insert(tid, 0u32, 0);
    }
}

/// Which message of its recvmmsg(2) the current thread has just received; `None` when the call was
/// entered before its entry was observed.
#[inline(always)]
fn next_message() -> Option<u32> {
    let (tid, _) = current();
    let next = NEXT_MESSAGE.get_ptr_mut(tid)?;
    // SAFETY: a map value that only this thread uses.
    unsafe {
        let index = *next;
        *next = index + 1;
        Some(index)
    }
}

/// Whether `call`, of thread `tid`, is a recvmmsg(2) that has returned a message already: what it
/// does next is no new entry into a receive call.
#[inline(always)]
pub(crate) fn continues(call: &Syscall, tid: u32) -> bool {
    if !call.may_receive_several() {
        return false;
    }
    match NEXT_MESSAGE.get_ptr(tid) {
        // SAFETY: a map value.
        Some(next) => unsafe { *next > 0 },
        None => false,
    }
}

/// Reads a word of user memory.
#[inline(always)]
fn word(address: u64) -> Option<u64> {
    // SAFETY: probe_read_user checks the address.
    unsafe { bpf_probe_read_user(address as *const u64).ok() }
}

impl Buffers {
    /// The buffers `call` receives into; `None` when the call does not show them.
    #[inline(always)]
    pub(crate) fn of(call: &Syscall) -> Option<Self> {
        Self::at(call.destination(next_message)?)
    }

    /// The same where nothing was received before: a recvmmsg(2) is then at its first message.
    #[inline(always)]
    pub(crate) fn of_first(call: &Syscall) -> Option<Self> {
        Self::at(call.destination(|| Some(0))?)
    }

    #[inline(always)]
    fn at(destination: Destination) -> Option<Self> {
        match destination {
            Destination::Buffer { start } => Some(Self { start, count: 0 }),
            Destination::Vector { start, count } => Some(Self { start, count }),
            Destination::Header { address } => Some(Self {
                start: word(address + MSGHDR_IOV)?,
                count: word(address + MSGHDR_IOVLEN)?,
            }),
        }
    }
}
