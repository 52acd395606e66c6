//! Aftermath: time in other parts that a wait leaves behind.

use serde::{Deserialize, Serialize};

/// Time that would not be there without an earlier wait of the same thread, nanoseconds by the
/// kind of that wait.
///
/// The run-queue time that directly follows a wait is its aftermath: a thread that had not waited
/// would have kept its CPU. Only waits of 20 us and more are reported by the probes and counted
/// here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aftermath {
    /// Run-queue time after a lock wait.
    pub lock_wait_ns: u64,
    /// Run-queue time after throttling.
    pub throttle_ns: u64,
    /// Run-queue time after a blocking system call.
    pub blocked_ns: u64,
    /// Time on the CPU between the sleeps of one lock wait. A timed waiter wakes up (CPython: once
    /// per switch interval) only to ask for the lock again and to go back to sleep.
    pub lock_retry_ns: u64,
}

/// The aftermath in the age of one message, by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAftermath {
    /// From arrival to the return of the receive call.
    pub queued: Aftermath,
    /// From there to the hand-off.
    pub in_app: Aftermath,
}
