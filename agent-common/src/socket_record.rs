//! Records about tracked sockets.

use crate::record::{RecordHead, Snapshot};

/// What our end has acknowledged of a stream, and when a segment was last sent on its socket. Every
/// segment sent acknowledges all that has arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Acknowledged {
    /// When the last segment was sent, pure acknowledgements included; 0 where the kernel does not
    /// record it (`tcp_sock.tcp_wstamp_ns`).
    pub sent_at_ns: u64,
    /// One past the last byte acknowledged.
    pub end_seq: u32,
    /// Segments sent so far (wraps).
    pub segments: u32,
}

/// How a socket came to be tracked.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenReason {
    /// A target connected it: observed from the first byte.
    Connected = 1,
    /// Accepted on a port that a target listens on: observed from the first byte.
    Accepted = 2,
    /// It was open when the agent started.
    Present = 3,
    /// It was first observed when it was read.
    Read = 4,
}

/// A socket is tracked from here on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketOpened {
    /// The head.
    pub head: RecordHead,
    /// The instant.
    pub at_ns: u64,
    /// Address of the `struct sock`, by which the agent asks for samples.
    pub sk: u64,
    /// Our address; IPv4 in the first four bytes.
    pub local_address: [u8; 16],
    /// The peer's address, likewise.
    pub remote_address: [u8; 16],
    /// What was acknowledged at that instant.
    pub acked: Acknowledged,
    /// `AF_INET` (2) or `AF_INET6` (10).
    pub family: u32,
    /// Our port, host byte order.
    pub local_port: u32,
    /// The peer's port, host byte order.
    pub remote_port: u32,
    /// `tcp_sock.rcv_nxt`: bytes before it arrived unobserved.
    pub rcv_nxt: u32,
    /// `tcp_sock.copied_seq`: bytes before it were received before the socket was tracked.
    pub copied_seq: u32,
    /// The process.
    pub tgid: u32,
    /// An [`OpenReason`].
    pub reason: u32,
    /// Receive window left for the sender, bytes.
    pub offered: u32,
    /// See [`BytesArrived::min_usable`].
    pub min_usable: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Bytes became readable.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesArrived {
    /// The head.
    pub head: RecordHead,
    /// The reader's counters; its `at_ns` is the instant.
    pub reader: Snapshot,
    /// What was acknowledged at that instant. The kernel may acknowledge an arrival just before the
    /// hook of the arrival, or just after.
    pub acked: Acknowledged,
    /// One past the last byte that arrived.
    pub rcv_nxt: u32,
    /// Receive window left for the sender: `rcv_wup + rcv_wnd - rcv_nxt`, bytes.
    pub offered: u32,
    /// The least window that the sender uses, bytes: one segment, or half the largest window ever
    /// offered where that is less (RFC 1122 section 4.2.3.4). With less than this offered the
    /// window counts as closed.
    pub min_usable: u32,
    /// `tcp_sock.copied_seq`, one past the last byte the application has received: ahead of the
    /// last [`BytesReceived::end_seq`] while a receive call is in progress.
    pub copied_seq: u32,
}

/// Bits of [`BytesReceived::flags`].
pub mod receive_flags {
    /// The bytes could not be followed (see `ProbeCounter::BufferUnknown`,
    /// `ProbeCounter::BytesUnreadable`).
    pub const BYTES_MISSING: u32 = 1;
    /// The hook on the entry of system calls is needed to follow this thread; the agent attaches it
    /// when it reads this. Either this was one of several messages of a recvmmsg(2), and which one
    /// is unknown; or see [`OTHERS_PENDING`].
    pub const SYS_ENTER_WANTED: u32 = 2;
    /// The same recvmmsg(2) returned messages before: this is no new entry into a call.
    pub const CALL_CONTINUES: u32 = 4;
    /// Receives of the thread from other sockets are pending too, as far as was observed. A wait
    /// that did not sleep may have been their hand-off: only the hook on the entry of system calls
    /// observes those.
    pub const OTHERS_PENDING: u32 = 8;
    /// The thread's list of pending receives was full: a wait that hands this one off will not be
    /// observed.
    pub const HAND_OFF_LOST: u32 = 16;
}

/// A receive call returned bytes. Followed by `slice_bytes` bytes of slices.
///
/// A slice is its TCP sequence number (u32), its length (u32), then that many bytes, padded to a
/// multiple of four.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesReceived {
    /// The head.
    pub head: RecordHead,
    /// The receiving thread's counters; its `at_ns` is the instant.
    pub reader: Snapshot,
    /// What is acknowledged after the call, which may have acknowledged what it received.
    pub acked: Acknowledged,
    /// The process.
    pub tgid: u32,
    /// The descriptor that the socket was read by.
    pub fd: i32,
    /// One past the last byte received (`tcp_sock.copied_seq`).
    pub end_seq: u32,
    /// Bytes received.
    pub len: u32,
    /// One past the last byte that has arrived.
    pub rcv_nxt: u32,
    /// See [`BytesArrived::offered`].
    pub offered: u32,
    /// See [`BytesArrived::min_usable`].
    pub min_usable: u32,
    /// See [`receive_flags`].
    pub flags: u32,
    /// Bytes of slices behind this struct.
    pub slice_bytes: u32,
    /// The system call's number.
    pub syscall: u32,
}

/// The longest slice: at most this much of a message leaves the kernel, from its first byte.
pub const MAX_SLICE_BYTES: usize = 256;
/// The lowest limit of slices that the agent sets for the time in which much is unread in the ring
/// buffer: as much as the headers read so far take, so that a burst costs about half the room.
pub const MIN_SLICE_LIMIT_BYTES: usize = 128;
/// The head of a slice.
pub const SLICE_HEAD_BYTES: usize = 8;
/// The bytes that a slice of `len` bytes takes: slices begin at multiples of four.
#[inline(always)]
#[must_use]
pub const fn padded_slice_bytes(len: u64) -> u64 {
    (len + 3) & !3
}

/// Which call of the thread showed that it was through with its messages.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOffKind {
    /// A receive call on the same socket, in which the thread went to sleep or (with the hook on
    /// the entry of system calls) which it entered.
    Receive = 1,
    /// Likewise poll, ppoll, select, pselect.
    Poll = 2,
    /// Likewise epoll_wait and its kin.
    Epoll = 3,
    /// A receive call on the same socket that returned without bytes.
    Empty = 4,
}

/// The thread is through with what it received on this socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HandedOff {
    /// The head.
    pub head: RecordHead,
    /// The thread's counters; its `at_ns` is the instant.
    pub reader: Snapshot,
    /// A [`HandOffKind`].
    pub how: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Why a socket is tracked no longer.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// It was destroyed.
    Destroyed = 1,
    /// It does not carry FIX.
    NotFix = 2,
}

/// A socket is tracked no longer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketClosed {
    /// The head.
    pub head: RecordHead,
    /// The reader's counters; its `at_ns` is the instant.
    pub reader: Snapshot,
    /// A [`CloseReason`].
    pub reason: u32,
    /// Always 0.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<Acknowledged>() == 16);
    assert!(size_of::<SocketOpened>() == 16 + 16 + 32 + 16 + 40);
    assert!(size_of::<BytesArrived>() == 16 + size_of::<Snapshot>() + 16 + 16);
    assert!(size_of::<BytesReceived>() == 16 + size_of::<Snapshot>() + 16 + 40);
    assert!(size_of::<HandedOff>() == 16 + size_of::<Snapshot>() + 8);
    assert!(size_of::<SocketClosed>() == 16 + size_of::<Snapshot>() + 8);
};
