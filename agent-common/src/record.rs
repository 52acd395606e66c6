//! The records in the ring buffer.
//!
//! Every record starts with a [`RecordHead`]; [`RecordKind`] says what it is. Instants (`.._at_ns`,
//! `from_ns`, `to_ns`) are `CLOCK_MONOTONIC` nanoseconds (`bpf_ktime_get_ns`), positions in a
//! stream are TCP sequence numbers (they wrap at 2^32), addresses are in network byte order.

use crate::state::STATE_COUNT;

/// What a record is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// [`crate::SocketOpened`]
    SocketOpened = 1,
    /// [`crate::BytesArrived`]
    BytesArrived = 2,
    /// [`crate::BytesReceived`], the last record of a receive call.
    BytesReceived = 3,
    /// [`crate::BytesReceived`] with slices that did not fit into one record; more of the call follows.
    BytesReceivedPart = 4,
    /// [`crate::HandedOff`]
    HandedOff = 5,
    /// [`crate::FunctionCalled`]
    FunctionCalled = 6,
    /// [`crate::SocketClosed`]
    SocketClosed = 7,
    /// [`crate::ThreadExited`]
    ThreadExited = 8,
    /// [`crate::ReaderHistory`]
    ReaderHistory = 9,
    /// [`crate::SleepEnded`]
    SleepEnded = 10,
    /// [`crate::RunQueueWait`]
    RunQueueWait = 11,
    /// [`crate::RunQueueWait`] that holds one full block of turns and no wait.
    CpuTurns = 12,
    /// [`crate::SocketSampled`]
    SocketSampled = 13,
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
            13 => Self::SocketSampled,
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
    /// Records about this socket (of [`crate::FunctionCalled`] and [`crate::ThreadExited`]: this thread) that
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

/// The size of the ring buffer: room for a burst of 100,000 messages received at once.
pub const RING_BUFFER_BYTES: u64 = 16 << 20;
/// With this much unread in the ring buffer the probes wake the agent at once.
pub const RING_WAKE_UP_BYTES: u64 = RING_BUFFER_BYTES / 8;
/// The largest record, slices included.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;

/// Whether this much unread in the ring buffer is reason to wake the agent.
#[inline(always)]
#[must_use]
pub const fn is_wake_up_due(unread_bytes: u64) -> bool {
    unread_bytes >= RING_WAKE_UP_BYTES
}

const _: () = {
    assert!(size_of::<RecordHead>() == 16);
    assert!(size_of::<Snapshot>() == 8 + 8 * STATE_COUNT + 8);
};
