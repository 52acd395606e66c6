//! What the threads of a watched process do with their time.

use serde::{Deserialize, Serialize};

use super::{culprit::ThreadName, matrix::Part};

/// One thread of a watched process, counters cumulative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadUse {
    /// The thread.
    pub thread: ThreadName,
    /// Time per [`Part`] since the thread is tracked, the state in progress included, ns; nothing is
    /// network. From the scheduler's switches; the throttled part of a wait in progress still counts as
    /// run queue.
    pub ns: [u64; Part::ALL.len()],
}

impl ThreadUse {
    /// The time in one part, ns.
    #[must_use]
    pub const fn part(&self, part: Part) -> u64 {
        self.ns[part as usize]
    }
}
