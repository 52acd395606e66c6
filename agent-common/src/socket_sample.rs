//! What waits on one socket, and what its reader does, at one instant.

use crate::{RecordHead, Snapshot};

/// The receive side of a socket and its reader, read together when the agent asks for it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketSampled {
    /// The head.
    pub head: RecordHead,
    /// The reader's counters; its `at_ns` is the instant.
    pub reader: Snapshot,
    /// What the reader does at that instant; zero where it is not tracked.
    pub activity: SampledActivity,
    /// One past the last byte in the queue, a FIN not counted.
    pub rcv_nxt: u32,
    /// One past the last byte that the application has received.
    pub copied_seq: u32,
    /// Receive window left for the sender, bytes.
    pub offered: u32,
    /// See [`crate::BytesArrived::min_usable`].
    pub min_usable: u32,
}

/// What a thread does at one instant.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SampledActivity {
    /// Since when. A wait for a lock that consists of several timed sleeps counts from its first.
    pub since_ns: u64,
    /// Lock wait: the futex address. Blocked: the number of the system call, -1 for an exception,
    /// or one of [`crate::syscall::pseudo`].
    pub object: u64,
    /// Blocked: the system call's first argument.
    pub syscall_arg: u64,
    /// A [`crate::ThreadState`]. Here a thread is in [`crate::ThreadState::Throttle`] while it is
    /// runnable and its quota is used up.
    pub state: u32,
    /// The thread's process; 0 where the thread is not tracked.
    pub tgid: u32,
}

const _: () = assert!(size_of::<SampledActivity>() == 32);
const _: () = assert!(size_of::<SocketSampled>() == 16 + size_of::<Snapshot>() + 32 + 16);
