//! One tracked TCP socket.

/// What a tracked socket carries, as far as is known.
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

/// Bytes of a message's beginning that hold `8=FIXT.1.1|9=NNNNNNN|`, with room to spare.
pub const PREFIX_BYTES: usize = 32;
/// Room for two prefixes: the verifier cannot relate where a copy starts to how long it is.
pub const PREFIX_ROOM: usize = 2 * PREFIX_BYTES;

/// Values of [`HeaderWalk::mode`].
pub mod walk_mode {
    /// Out of step: whole bytes are sliced until a message begins.
    pub const SEARCH: u32 = 0;
    /// `HeaderWalk::message_seq` is where a message begins, its length is not known yet.
    pub const PREFIX: u32 = 1;
    /// `HeaderWalk::message_seq` is where a message begins and `HeaderWalk::end_seq` where the next
    /// one does.
    pub const FRAMED: u32 = 2;
}

/// Where the header walk is in the stream.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HeaderWalk {
    /// One of [`walk_mode`].
    pub mode: u32,
    /// First byte of the message being walked.
    pub message_seq: u32,
    /// One past its last byte.
    pub end_seq: u32,
    /// How many bytes of `prefix` are filled.
    pub prefix_len: u32,
    /// Where the next receive call should begin.
    pub next_seq: u32,
    /// Always 0.
    pub reserved: u32,
    /// The message's first bytes, gathered over as many receive calls as it takes.
    pub prefix: [u8; PREFIX_ROOM],
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

const _: () = assert!(size_of::<HeaderWalk>() == 24 + PREFIX_ROOM);
const _: () = assert!(size_of::<TrackedSocket>() == 8 + 8 * 4 + size_of::<HeaderWalk>());

#[cfg(test)]
pub(crate) mod tests {
    use super::{HeaderWalk, PREFIX_ROOM, TrackedSocket};

    /// A socket of which nothing is known.
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
                reserved: 0,
                prefix: [0; PREFIX_ROOM],
            },
        }
    }
}
