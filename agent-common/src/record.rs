//! The records in the ring buffer.
//!
//! Every record starts with a [`RecordHead`]; [`RecordKind`] says what it is. Instants (`.._at_ns`,
//! `from_ns`, `to_ns`) are `CLOCK_MONOTONIC` nanoseconds (`bpf_ktime_get_ns`), positions in a
//! stream are TCP sequence numbers (they wrap at 2^32), addresses are in network byte order.

use crate::STATE_COUNT;

/// What a record is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// [`SocketOpened`]
    SocketOpened = 1,
    /// [`BytesArrived`]
    BytesArrived = 2,
    /// [`BytesReceived`], the last record of a receive call.
    BytesReceived = 3,
    /// [`BytesReceived`] with slices that did not fit into one record; more of the call follows.
    BytesReceivedPart = 4,
    /// [`HandedOff`]
    HandedOff = 5,
    /// [`FunctionCalled`]
    FunctionCalled = 6,
    /// [`SocketClosed`]
    SocketClosed = 7,
    /// [`ThreadExited`]
    ThreadExited = 8,
    /// [`crate::ReaderHistory`]
    ReaderHistory = 9,
    /// [`crate::SleepEnded`]
    SleepEnded = 10,
    /// [`crate::RunQueueWait`]
    RunQueueWait = 11,
    /// [`crate::RunQueueWait`] that holds one full block of turns and no wait.
    CpuTurns = 12,
}

impl RecordKind {
    /// The kind with this number; `None` when there is none.
    #[must_use]
    pub const fn from_u32(n: u32) -> Option<Self> {
        Some(match n {
            1 => Self::SocketOpened,
            2 => Self::BytesArrived,
            3 => Self::BytesReceived,
            4 => Self::BytesReceivedPart,
            5 => Self::HandedOff,
            6 => Self::FunctionCalled,
            7 => Self::SocketClosed,
            8 => Self::ThreadExited,
            9 => Self::ReaderHistory,
            10 => Self::SleepEnded,
            11 => Self::RunQueueWait,
            12 => Self::CpuTurns,
            _ => return None,
        })
    }
}

/// The start of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordHead {
    /// A [`RecordKind`].
    pub kind: u32,
    /// Records about this socket (of [`FunctionCalled`] and [`ThreadExited`]: this thread) that
    /// were lost so far. When it changes, something happened in between that the agent does not
    /// know of.
    pub lost: u32,
    /// [`crate::TrackedSocket::id`]; 0 in a record that is not about a socket.
    pub socket_id: u64,
}

impl RecordHead {
    /// The head of a record that is not about a socket and counts no losses.
    #[must_use]
    pub const fn without_socket(kind: RecordKind) -> Self {
        Self {
            kind: kind as u32,
            lost: 0,
            socket_id: 0,
        }
    }
}

/// The counters of a thread at one instant. The differences of two snapshots of one thread sum to
/// the time between them, exactly.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot {
    /// The instant.
    pub at_ns: u64,
    /// Nanoseconds per [`crate::ThreadState`], the state in progress included.
    pub state_ns: [u64; STATE_COUNT],
    /// The thread; 0 when it is not tracked, then `state_ns` means nothing.
    pub tid: u32,
    /// Always 0.
    pub reserved: u32,
}

impl Snapshot {
    /// Whether both are of one tracked thread.
    #[must_use]
    pub const fn continues(&self, earlier: &Self) -> bool {
        self.tid != 0 && self.tid == earlier.tid
    }
}

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

/// The size of the ring buffer: room for a burst of 100,000 messages received at once.
pub const RING_BUFFER_BYTES: u64 = 16 << 20;
/// With this much unread in the ring buffer the probes wake the agent at once.
pub const RING_WAKE_UP_BYTES: u64 = RING_BUFFER_BYTES / 8;

/// The longest slice: at most this much of a message leaves the kernel, from its first byte.
pub const MAX_SLICE_BYTES: usize = 256;
/// The lowest limit of slices that the agent sets for the time in which much is unread in the ring
/// buffer: as much as the headers read so far take, so that a burst costs about half the room.
pub const MIN_SLICE_LIMIT_BYTES: usize = 128;
/// The head of a slice.
pub const SLICE_HEAD_BYTES: usize = 8;
/// The largest record, slices included.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;

/// The bytes that a slice of `len` bytes takes: slices begin at multiples of four.
#[inline(always)]
#[must_use]
pub const fn padded_slice_bytes(len: u64) -> u64 {
    (len + 3) & !3
}

/// Whether this much unread in the ring buffer is reason to wake the agent.
#[inline(always)]
#[must_use]
pub const fn is_wake_up_due(unread_bytes: u64) -> bool {
    unread_bytes >= RING_WAKE_UP_BYTES
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

/// The function named with `--handoff` was called (or returned).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FunctionCalled {
    /// The head; no socket.
    pub head: RecordHead,
    /// The calling thread's counters; its `at_ns` is the instant.
    pub caller: Snapshot,
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
    /// The instant.
    pub at_ns: u64,
    /// A [`CloseReason`].
    pub reason: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A tracked thread ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadExited {
    /// The head; no socket.
    pub head: RecordHead,
    /// The instant.
    pub at_ns: u64,
    /// The thread.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
}

const _: () = {
    assert!(size_of::<RecordHead>() == 16);
    const SNAPSHOT: usize = 8 + 8 * STATE_COUNT + 8;
    assert!(size_of::<Snapshot>() == SNAPSHOT);
    assert!(size_of::<Acknowledged>() == 16);
    assert!(size_of::<SocketOpened>() == 16 + 8 + 32 + 16 + 40);
    assert!(size_of::<BytesArrived>() == 16 + SNAPSHOT + 16 + 16);
    assert!(size_of::<BytesReceived>() == 16 + SNAPSHOT + 16 + 40);
    assert!(size_of::<HandedOff>() == 16 + SNAPSHOT + 8);
    assert!(size_of::<FunctionCalled>() == 16 + SNAPSHOT);
    assert!(size_of::<SocketClosed>() == 32);
    assert!(size_of::<ThreadExited>() == 32);
};
