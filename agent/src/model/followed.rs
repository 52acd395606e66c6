//! Waits for the CPU that are the aftermath of other waits.

use serde::{Deserialize, Serialize};

/// Run-queue time that followed directly upon a wait, nanoseconds by what that was: without it the thread
/// would have kept its CPU, and would not have had to wait for it either. Of waits of 20 us and more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// A wait for a lock.
    pub lock_wait_ns: u64,
    /// Throttling.
    pub throttle_ns: u64,
    /// Another system call.
    pub blocked_ns: u64,
}

/// The same of a message, by the stage in which it waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedBy {
    /// In the queue.
    pub queued: Followed,
    /// In the application.
    pub in_app: Followed,
}
