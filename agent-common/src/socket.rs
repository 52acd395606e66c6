//! One watched TCP socket.

/// What is known of a watched socket.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// connect(2) is under way in a watched process.
    Connecting = 0,
    /// Established, nothing read yet (or nothing that shows what it carries).
    Undecided = 1,
    /// A FIX stream.
    Fix = 2,
    /// Something else; looked at no further.
    Other = 3,
}

/// Bytes of a message's beginning that hold `8=FIXT.1.1|9=NNNNNNN|`, with room to spare.
pub const PREFIX_BYTES: usize = 32;
/// Room for two prefixes: the verifier cannot relate where a copy starts to how long it is.
pub const PREFIX_ROOM: usize = 2 * PREFIX_BYTES;

/// Values of [`Walk::mode`].
pub mod walk_mode {
    /// Out of step: whole bytes are handed over until a message begins.
    pub const LOST: u32 = 0;
    /// `Walk::message` is where a message begins, its length is not known yet.
    pub const PREFIX: u32 = 1;
    /// `Walk::message` is where a message begins and `Walk::end` where the next one does.
    pub const FRAMED: u32 = 2;
}

/// Where the header walk stands in the stream. Positions are TCP sequence numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// One of [`walk_mode`].
    pub mode: u32,
    /// First byte of the message being walked.
    pub message: u32,
    /// One past its last byte.
    pub end: u32,
    /// How many bytes of `prefix` are filled.
    pub have: u32,
    /// Where the next read should begin.
    pub at: u32,
    /// Always 0.
    pub reserved: u32,
    /// The message's first bytes, gathered over as many reads as it takes.
    pub prefix: [u8; PREFIX_ROOM],
}

/// One watched TCP socket, keyed by the address of its `struct sock`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    /// Names this socket in every record; never reused.
    pub id: u64,
    /// The process it was found in.
    pub tgid: u32,
    /// The thread that read it last; 0 before the first read.
    pub reader: u32,
    /// A [`Phase`].
    pub phase: u32,
    /// Records about this socket that found the ring full.
    pub lost: u32,
    /// `rcv_nxt` at the last arrival recorded.
    pub seen: u32,
    /// 1 when the stream was watched from its first byte.
    pub from_start: u32,
    /// Bytes looked at while undecided.
    pub looked: u32,
    /// The largest window announced so far, bytes.
    pub max_window: u32,
    /// The header walk.
    pub walk: Walk,
}

const _: () = assert!(size_of::<Walk>() == 24 + PREFIX_ROOM);
const _: () = assert!(size_of::<Socket>() == 8 + 8 * 4 + size_of::<Walk>());
