//! What waits leave behind in other parts.

use serde::{Deserialize, Serialize};

/// Time in other parts that is there because of a wait, nanoseconds by what that was. Of waits of
/// 20 us and more.
///
/// Run-queue time that followed directly upon a wait: without it the thread would have kept its
/// CPU, and would not have had to wait for it either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aftermath {
    /// A wait for a lock.
    pub lock_wait_ns: u64,
    /// Throttling.
    pub throttle_ns: u64,
    /// Another system call.
    pub blocked_ns: u64,
    /// On the CPU between the sleeps of one lock wait: woken by its timer (CPython: every switch
    /// interval), only to ask for the lock and to sleep again.
    pub lock_retry_ns: u64,
}

/// The same of a message, by the stage in which it waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAftermath {
    /// In the queue.
    pub queued: Aftermath,
    /// In the application.
    pub in_app: Aftermath,
}
