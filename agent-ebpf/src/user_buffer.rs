//! Where in user memory a receive call put its bytes, told from the call's own arguments.

use aya_ebpf::helpers::bpf_probe_read_user;

use crate::arch::{Syscall, nr};

/// How many buffers of one scattered read are followed.
pub(crate) const MAX_BUFFERS: u64 = 8;

/// One buffer.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// The buffers of one call.
#[derive(Clone, Copy)]
pub(crate) enum Buffers {
    /// recv, recvfrom, read: one buffer, at least as long as what was received.
    One(u64),
    /// readv, recvmsg: an array of `struct iovec`, and how many.
    Many(u64, u64),
}

/// include/linux/socket.h `struct user_msghdr`: name, namelen, iov, iovlen, ..
const MSGHDR_IOV: u64 = 16;
const MSGHDR_IOVLEN: u64 = 24;

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
            Some(Self::One(call.args[1]))
        } else if call.number == nr::READV {
            Some(Self::Many(call.args[1], call.args[2]))
        } else if call.number == nr::RECVMSG || (call.number == nr::RECVMMSG && call.args[2] == 1) {
            let header = call.args[1];
            Some(Self::Many(
                word(header + MSGHDR_IOV)?,
                word(header + MSGHDR_IOVLEN)?,
            ))
        } else {
            None
        }
    }

    /// The buffer with this number; `None` past the last.
    #[inline(always)]
    pub(crate) fn get(&self, index: u64, received: u64) -> Option<Buffer> {
        match *self {
            Self::One(start) => (index == 0).then_some(Buffer {
                start,
                len: received,
            }),
            Self::Many(array, count) => {
                if index >= count {
                    return None;
                }
                let entry = array + index * 16;
                Some(Buffer {
                    start: word(entry)?,
                    len: word(entry + 8)?,
                })
            }
        }
    }
}
