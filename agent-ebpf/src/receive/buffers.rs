//! Where in user memory a receive call put its bytes, told from the call's own arguments.

use aya_ebpf::helpers::bpf_probe_read_user;

use crate::{
    arch::{Syscall, nr},
    current::{current, wanted},
    maps::NEXT_MESSAGE,
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

/// include/linux/socket.h `struct mmsghdr`: a msghdr of 56 bytes, msg_len, padding.
const MMSGHDR_BYTES: u64 = 64;

/// The current thread enters a recvmmsg(2).
#[inline(always)]
pub(crate) fn entered(tid: u32, tgid: u32) {
    if wanted(tgid) {
        // An LRU map takes what it is given.
        let _kept = NEXT_MESSAGE.insert(tid, 0u32, 0);
    }
}

/// Which message of its recvmmsg(2) the current thread has just got; `None` when the call was
/// entered before anybody looked.
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

/// Whether `call`, of thread `tid`, is a recvmmsg(2) that has handed over a message already: what
/// it does next is no new entry into a receive call.
#[inline(always)]
pub(crate) fn continues(call: &Syscall, tid: u32) -> bool {
    if call.number != nr::RECVMMSG || call.args[2] <= 1 {
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
    /// The buffers `call` receives into; `None` for a call whose buffers cannot be told.
    #[inline(always)]
    pub(crate) fn of(call: &Syscall) -> Option<Self> {
        if call.number == nr::RECVFROM || call.number == nr::READ {
            Some(Self {
                start: call.args[1],
                count: 0,
            })
        } else if call.number == nr::READV {
            Some(Self {
                start: call.args[1],
                count: call.args[2],
            })
        } else if call.number == nr::RECVMSG {
            Self::of_header(call.args[1])
        } else if call.number == nr::RECVMMSG {
            let index = if call.args[2] == 1 {
                0
            } else {
                next_message()?
            };
            Self::of_header(call.args[1] + u64::from(index) * MMSGHDR_BYTES)
        } else {
            None
        }
    }

    /// The same where nothing was received before: a recvmmsg(2) is then at its first message.
    #[inline(always)]
    pub(crate) fn of_first(call: &Syscall) -> Option<Self> {
        if call.number == nr::RECVMMSG {
            Self::of_header(call.args[1])
        } else {
            Self::of(call)
        }
    }

    #[inline(always)]
    fn of_header(header: u64) -> Option<Self> {
        Some(Self {
            start: word(header + MSGHDR_IOV)?,
            count: word(header + MSGHDR_IOVLEN)?,
        })
    }
}
