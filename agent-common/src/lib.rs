//! What the probes and the agent share.
//!
//! Every type here crosses the border between kernel and user space: `repr(C)`, no padding, no
//! pointers that the other side could follow. The kernel side writes, the agent reads.
#![no_std]

mod count;
mod record;
mod socket;
mod thread;
mod wait;

pub use count::ProbeCounter;
pub use record::{
    Acknowledged, BytesArrived, BytesReceived, CloseReason, FunctionCalled, HandOffKind, HandedOff,
    MAX_RECORD_BYTES, MAX_SLICE_BYTES, MIN_SLICE_LIMIT_BYTES, OpenReason, RING_BUFFER_BYTES,
    RING_WAKE_UP_BYTES, RecordHead, RecordKind, SLICE_HEAD_BYTES, Snapshot, SocketClosed,
    SocketOpened, ThreadExited, receive_flags,
};
pub use socket::{HeaderWalk, PREFIX_BYTES, PREFIX_ROOM, StreamContent, TrackedSocket, walk_mode};
pub use thread::{
    HISTORY_CHANGES, MAX_PENDING, PendingReceive, ReaderHistory, STATE_COUNT, StateChange,
    ThreadState, TrackedThread,
};
pub use wait::{
    CpuQueue, CpuTurn, MIN_RECORDED_WAIT_NS, RunQueueWait, SleepEnded, TURNS_PER_BLOCK,
};

/// Process and thread ids go up to 4,194,304 (`PID_MAX_LIMIT`, include/linux/threads.h): words of
/// 64 that hold one bit for each.
pub const ID_WORDS: u32 = 4_194_304 / 64;

/// The value of a struct offset that the running kernel's BTF does not have.
pub const ABSENT: u32 = u32::MAX;

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `TrackedThread` is `repr(C)`, `Copy`, made of integers only, without padding
    // (asserted in its module), so every bit pattern is a value of it.
    unsafe impl aya::Pod for crate::TrackedThread {}
    // SAFETY: as above.
    unsafe impl aya::Pod for crate::TrackedSocket {}
}
