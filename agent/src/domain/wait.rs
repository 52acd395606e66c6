//! One wait of a tracked thread.

use crate::domain::{culprit::CulpritId, matrix::Part};

/// A wait that is over, as far as one culprit is charged with it. A run-queue wait with several
/// culprits is published once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Thread id of the waiter.
    pub tid: u32,
    /// The part that the wait counts as.
    pub part: Part,
    /// The culprit.
    pub culprit: CulpritId,
    /// Begin of the whole wait, `CLOCK_MONOTONIC` nanoseconds.
    pub from_ns: u64,
    /// End of the whole wait, on the same clock.
    pub to_ns: u64,
    /// The culprit's share of the wait, nanoseconds; at most `to_ns - from_ns`.
    pub ns: u64,
    /// Lock waits: the number of sleeps that ended with a timer before the release (CPython: one
    /// per switch interval).
    pub timeouts: u32,
}
