//! One tracked TCP socket.

use crate::header_walk::HeaderWalk;

/// What a tracked socket carries, as far as it was observed.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamContent {
    /// Nothing yet: connect(2) is in progress in a target.
    Connecting = 0,
    /// Unknown: established, nothing received yet (or nothing that shows what it carries).
    Undecided = 1,
    /// A FIX stream.
    Fix = 2,
    /// Something else; ignored from now on.
    Other = 3,
}

impl TrackedSocket {
    /// Whether its stream is ignored.
    #[inline(always)]
    #[must_use]
    pub const fn is_other(&self) -> bool {
        self.content == StreamContent::Other as u32
    }

    /// Whether it is unknown what it carries.
    #[inline(always)]
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        self.content == StreamContent::Undecided as u32
    }

    /// Whether it carries FIX.
    #[inline(always)]
    #[must_use]
    pub const fn is_fix(&self) -> bool {
        self.content == StreamContent::Fix as u32
    }
}

/// One tracked TCP socket, keyed by the address of its `struct sock`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TrackedSocket {
    /// Identifies this socket in every record; never reused.
    pub id: u64,
    /// The process it was found in.
    pub tgid: u32,
    /// The thread that read it last; 0 before the first receive call.
    pub reader: u32,
    /// A [`StreamContent`].
    pub content: u32,
    /// Records about this socket that found the ring buffer full.
    pub lost: u32,
    /// `tcp_sock.rcv_nxt` at the last arrival recorded.
    pub rcv_nxt: u32,
    /// 1 when the stream was observed from its first byte.
    pub from_start: u32,
    /// Bytes searched for a message while undecided.
    pub searched_bytes: u32,
    /// The largest window announced so far, bytes.
    pub max_window: u32,
    /// The header walk.
    pub walk: HeaderWalk,
}

const _: () = assert!(size_of::<TrackedSocket>() == 8 + 8 * 4 + size_of::<HeaderWalk>());

#[cfg(test)]
pub(crate) mod tests {
    use super::TrackedSocket;
    use crate::header_walk::{HeaderWalk, PREFIX_ROOM};

    /// A socket with every field 0.
    pub(crate) const fn socket() -> TrackedSocket {
        TrackedSocket {
            id: 0,
            tgid: 0,
            reader: 0,
            content: 0,
            lost: 0,
            rcv_nxt: 0,
            from_start: 0,
            searched_bytes: 0,
            max_window: 0,
            walk: HeaderWalk {
                mode: 0,
                message_seq: 0,
                end_seq: 0,
                prefix_len: 0,
                next_seq: 0,
                refused: 0,
                prefix: [0; PREFIX_ROOM],
            },
        }
    }
}
