//! What the probes and the agent share.
//!
//! Every type here crosses the border between kernel and user space: `repr(C)`, no padding, no
//! pointers that the other side could follow. The kernel side writes, the agent reads.
#![no_std]

mod count;
mod event;
mod socket;
mod thread;
mod wait;

pub use count::Count;
pub use event::{
    Acked, Arrival, Call, CloseReason, Closed, Exit, HandOff, HandOffKind, Head, Kind, OpenReason,
    Opened, RECORD_BYTES, RING_BYTES, RING_WAKE_BYTES, Recv, SHORT_SLICE_BYTES, SLICE_BYTES,
    SLICE_HEAD_BYTES, Snapshot, recv_flags,
};
pub use socket::{PREFIX_BYTES, PREFIX_ROOM, Phase, Socket, Walk, walk_mode};
pub use thread::{CHANGES, Change, PENDING, Past, Pending, STATES, State, Thread};
pub use wait::{Cpu, Queued, RUNNERS, Runner, TOLD_FROM, Waited};

/// Process and thread ids go up to 4,194,304 (`PID_MAX_LIMIT`, include/linux/threads.h): words of
/// 64 that hold one bit for each.
pub const ID_WORDS: u32 = 4_194_304 / 64;

/// The value of a struct offset that the running kernel's BTF does not have.
pub const ABSENT: u32 = u32::MAX;

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `Thread` is `repr(C)`, `Copy`, made of integers only, without padding (asserted in
    // its module), so every bit pattern is a value of it.
    unsafe impl aya::Pod for crate::Thread {}
    // SAFETY: as above.
    unsafe impl aya::Pod for crate::Socket {}
}
