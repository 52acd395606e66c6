//! What the probes and the agent share: the layouts that cross the border between kernel and user
//! space, and the logic of the probes that needs no kernel, tested on the host.
//!
//! The layouts are `repr(C)`, without padding, without pointers that the other side could follow.
//! The kernel side writes, the agent reads.
#![no_std]

mod count;
pub mod framing;
mod futex;
pub mod header_walk;
pub mod ids;
mod record;
pub mod sched_info;
mod socket;
mod socket_record;
mod socket_sample;
mod state;
pub mod syscall;
mod thread;
mod thread_record;
pub mod throttle;
mod wait;
pub mod window;

pub use count::ProbeCounter;
pub use ids::ID_WORDS;
pub use record::{
    MAX_RECORD_BYTES, RING_BUFFER_BYTES, RING_WAKE_UP_BYTES, RecordHead, RecordKind, Snapshot,
    is_wake_up_due,
};
pub use socket::{StreamContent, TrackedSocket};
pub use socket_record::{
    Acknowledged, BytesArrived, BytesReceived, CloseReason, HandOffKind, HandedOff,
    MAX_SLICE_BYTES, MIN_SLICE_LIMIT_BYTES, OpenReason, SLICE_HEAD_BYTES, SocketClosed,
    SocketOpened, padded_slice_bytes, receive_flags,
};
pub use socket_sample::{SampledActivity, SocketSampled};
pub use state::{STATE_COUNT, ThreadState, add_stretch, clamp_throttled, is_throttle_excess};
pub use thread::{
    MAX_PENDING, PRESENT, PendingReceive, TrackedThread, is_being_written, is_consistent,
};
pub use thread_record::{
    FunctionCalled, HISTORY_CHANGES, ReaderHistory, StateChange, ThreadExited,
};
pub use wait::{
    CpuQueue, CpuTurn, MIN_RECORDED_WAIT_NS, RunQueueWait, SleepEnded, TURNS_PER_BLOCK,
    in_one_block, is_recorded, place_in_block, saturate,
};

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
