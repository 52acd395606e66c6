//! How the threads of a target process spend their time.

use serde::{Deserialize, Serialize};

use crate::domain::{culprit::ThreadName, matrix::Part};

/// The counters of one thread of a target process, cumulative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadUse {
    /// The thread.
    pub thread: ThreadName,
    /// Whether it is a tracked thread, whose states are observed at every switch. The counters of
    /// other threads come from the kernel's own account: on-cpu and run-queue (throttling
    /// included), the rest is unknown.
    pub tracked: bool,
    /// Nanoseconds per [`Part`], the state in progress included; network is always 0. The
    /// throttled part of a wait in progress still counts as run queue. Only the difference of two
    /// readings is meaningful.
    pub ns: [u64; Part::ALL.len()],
}

impl ThreadUse {
    /// The time in one part, nanoseconds.
    #[must_use]
    pub const fn part(&self, part: Part) -> u64 {
        self.ns[part as usize]
    }
}
