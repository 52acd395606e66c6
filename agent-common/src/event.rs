//! The records in the ring.
//!
//! Every record starts with a [`Head`]; [`Kind`] says what it is. Times are `CLOCK_MONOTONIC`
//! nanoseconds (`bpf_ktime_get_ns`), positions in a stream are TCP sequence numbers (they wrap at
//! 2^32), addresses and ports are in network byte order where said.

use crate::STATES;

/// What a record is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Opened`]
    Opened = 1,
    /// [`Arrival`]
    Arrival = 2,
    /// [`Recv`], the last record of a receive.
    Recv = 3,
    /// [`Recv`], with slices that did not fit into one record; more follows.
    RecvPart = 4,
    /// [`HandOff`]
    HandOff = 5,
    /// [`Call`]
    Call = 6,
    /// [`Closed`]
    Closed = 7,
    /// [`Exit`]
    Exit = 8,
    /// [`crate::Past`]
    Past = 9,
    /// [`crate::Waited`]
    Waited = 10,
    /// [`crate::Queued`]
    Queued = 11,
    /// [`crate::Queued`], a full block of switches and no wait.
    Switches = 12,
}

impl Kind {
    /// The kind with this number.
    #[must_use]
    pub const fn from_u32(n: u32) -> Option<Self> {
        Some(match n {
            1 => Self::Opened,
            2 => Self::Arrival,
            3 => Self::Recv,
            4 => Self::RecvPart,
            5 => Self::HandOff,
            6 => Self::Call,
            7 => Self::Closed,
            8 => Self::Exit,
            9 => Self::Past,
            10 => Self::Waited,
            11 => Self::Queued,
            12 => Self::Switches,
            _ => return None,
        })
    }
}

/// Start of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// A [`Kind`].
    pub kind: u32,
    /// Records about this socket (for [`Call`] and [`Exit`]: this thread) lost so far. A change
    /// tells the reader that something happened in between that it was not told.
    pub lost: u32,
    /// [`crate::Socket::id`]; 0 where no socket is meant.
    pub socket: u64,
}

/// The counters of a thread at one instant. The differences of two snapshots of one thread sum to
/// the time between them, exactly.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot {
    /// The instant.
    pub at: u64,
    /// Nanoseconds per [`crate::State`], the state in progress included.
    pub ns: [u64; STATES],
    /// Whose; 0 when the thread is not known, then `ns` means nothing.
    pub tid: u32,
    /// Always 0.
    pub reserved: u32,
}

impl Snapshot {
    /// Whether both are of one thread.
    #[must_use]
    pub const fn continues(&self, earlier: &Self) -> bool {
        self.tid != 0 && self.tid == earlier.tid
    }
}

/// What we have acknowledged of a stream, and when something was last sent on its socket. Every
/// segment sent acknowledges all that has arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Acked {
    /// When the last segment was sent, acknowledgements without data included; 0 where the kernel
    /// does not tell.
    pub sent_at: u64,
    /// One past the last byte acknowledged.
    pub end: u32,
    /// Segments sent so far (wraps).
    pub segments: u32,
}

/// How a socket came to be watched.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenReason {
    /// A watched process connected it: seen from the first byte.
    Connected = 1,
    /// Accepted on a port a watched process listens on: seen from the first byte.
    Accepted = 2,
    /// It was open when the agent started.
    Present = 3,
    /// It was first seen when it was read.
    Read = 4,
}

/// A socket is watched from here on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Opened {
    /// Start.
    pub head: Head,
    /// Instant.
    pub at: u64,
    /// Local and remote address; IPv4 in the first four bytes.
    pub local: [u8; 16],
    /// See `local`.
    pub remote: [u8; 16],
    /// As of `at`.
    pub acked: Acked,
    /// AF_INET (2) or AF_INET6 (10).
    pub family: u32,
    /// Host byte order.
    pub local_port: u32,
    /// Host byte order.
    pub remote_port: u32,
    /// Bytes up to here arrived unseen.
    pub rcv_nxt: u32,
    /// Bytes up to here were read before the socket was watched.
    pub copied: u32,
    /// Process.
    pub tgid: u32,
    /// An [`OpenReason`].
    pub reason: u32,
    /// Receive window left, bytes.
    pub offered: u32,
    /// See [`Arrival::least`].
    pub least: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Bytes became readable.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrival {
    /// Start.
    pub head: Head,
    /// The reader's counters; `at` is the instant.
    pub reader: Snapshot,
    /// As of that instant. The kernel may acknowledge an arrival just before it tells of it, or
    /// just after.
    pub acked: Acked,
    /// One past the last byte that arrived.
    pub rcv_nxt: u32,
    /// Receive window left: `rcv_wup + rcv_wnd - rcv_nxt`, bytes.
    pub offered: u32,
    /// The least the window must offer for the sender to use it, bytes: one segment, or half the
    /// largest window ever offered where that is less (RFC 1122 section 4.2.3.4). With less than
    /// this offered the window counts as closed.
    pub least: u32,
    /// One past the last byte the application has copied (`copied_seq`): ahead of the last
    /// [`Recv::end`] while a receive call is under way.
    pub copied: u32,
}

/// Bits of [`Recv::flags`].
pub mod recv_flags {
    /// The bytes could not be followed (see `Count::BufferUnknown`, `Count::BytesUnreadable`).
    pub const BYTES_MISSING: u32 = 1;
    /// A hook on the entry of system calls would tell more; it is attached only once this was seen.
    /// Either it was one of several messages of a recvmmsg(2), and which one is not known; or see
    /// [`OTHERS_OWED`].
    pub const CALL_HOOK_WANTED: u32 = 2;
    /// The same recvmmsg(2) has handed over messages before: this is no new entry into a call.
    pub const CONTINUED: u32 = 4;
    /// The thread has received from other sockets too and not handed that off, as far as was seen.
    /// A wait that did not sleep may have been the hand-off: only the hook on the entry of system
    /// calls sees those.
    pub const OTHERS_OWED: u32 = 8;
    /// There was no room to keep in mind that this is to be handed off: a wait that does so will
    /// not be seen.
    pub const HAND_OFF_LOST: u32 = 16;
}

/// A receive call handed over bytes. Followed by `slices` bytes of slices.
///
/// A slice is its TCP sequence number (u32), its length (u32), then that many bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Recv {
    /// Start.
    pub head: Head,
    /// The receiving thread's counters; `at` is the instant.
    pub reader: Snapshot,
    /// After the call, which may have acknowledged what it read.
    pub acked: Acked,
    /// Process.
    pub tgid: u32,
    /// Descriptor.
    pub fd: i32,
    /// One past the last byte handed over (`copied_seq`).
    pub end: u32,
    /// Bytes handed over.
    pub len: u32,
    /// One past the last byte in the queue.
    pub rcv_nxt: u32,
    /// See [`Arrival::offered`].
    pub offered: u32,
    /// See [`Arrival::least`].
    pub least: u32,
    /// See [`recv_flags`].
    pub flags: u32,
    /// Bytes of slices behind this struct.
    pub slices: u32,
    /// The system call.
    pub call: u32,
}

/// The size of the ring: room for a burst of 100,000 messages read at once.
pub const RING_BYTES: u64 = 16 << 20;
/// With this much waiting in the ring the agent is woken at once.
pub const RING_WAKE_BYTES: u64 = RING_BYTES / 8;

/// At most this much of a message is handed over, from its first byte.
pub const SLICE_BYTES: usize = 256;
/// The same while much is waiting in the ring, at the least: as much as the headers seen so far
/// take, which the agent tells the probes, so that a burst costs about half the room.
pub const SHORT_SLICE_BYTES: usize = 128;
/// The head of a slice.
pub const SLICE_HEAD_BYTES: usize = 8;
/// The largest record, slices included.
pub const RECORD_BYTES: usize = 16 * 1024;

/// What the thread did to be through with its messages.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOffKind {
    /// Entered a receive call on the same socket, and was seen to go to sleep in it or (with the
    /// hook on the entry of system calls) to enter it.
    Receive = 1,
    /// Likewise poll, ppoll, select, pselect.
    Poll = 2,
    /// Likewise epoll_wait and its kin.
    Epoll = 3,
    /// A receive call on the same socket returned without bytes.
    Empty = 4,
}

/// The thread is through with what it received on this socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HandOff {
    /// Start.
    pub head: Head,
    /// The thread's counters; `at` is the instant.
    pub reader: Snapshot,
    /// A [`HandOffKind`].
    pub how: u32,
    /// Always 0.
    pub reserved: u32,
}

/// The function named with `--handoff` was called (or returned).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    /// Start; no socket.
    pub head: Head,
    /// The calling thread's counters; `at` is the instant.
    pub caller: Snapshot,
}

/// Why a socket is watched no longer.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// It was destroyed.
    Destroyed = 1,
    /// It does not carry FIX.
    NotFix = 2,
}

/// A socket is watched no longer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Closed {
    /// Start.
    pub head: Head,
    /// Instant.
    pub at: u64,
    /// A [`CloseReason`].
    pub reason: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A tracked thread ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Exit {
    /// Start; no socket.
    pub head: Head,
    /// Instant.
    pub at: u64,
    /// Thread.
    pub tid: u32,
    /// Process.
    pub tgid: u32,
}

const _: () = {
    assert!(size_of::<Head>() == 16);
    const SNAPSHOT: usize = 8 + 8 * STATES + 8;
    assert!(size_of::<Snapshot>() == SNAPSHOT);
    assert!(size_of::<Acked>() == 16);
    assert!(size_of::<Opened>() == 16 + 8 + 32 + 16 + 40);
    assert!(size_of::<Arrival>() == 16 + SNAPSHOT + 16 + 16);
    assert!(size_of::<Recv>() == 16 + SNAPSHOT + 16 + 40);
    assert!(size_of::<HandOff>() == 16 + SNAPSHOT + 8);
    assert!(size_of::<Call>() == 16 + SNAPSHOT);
    assert!(size_of::<Closed>() == 32);
    assert!(size_of::<Exit>() == 32);
};
