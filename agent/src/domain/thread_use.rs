//! What the threads of a watched process do with their time.

use serde::{Deserialize, Serialize};

use crate::domain::{culprit::ThreadName, matrix::Part};

/// One thread of a watched process, counters cumulative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadUse {
    /// The thread.
    pub thread: ThreadName,
    /// It reads a session, so its states are told by the scheduler's switches. Of other threads the
    /// kernel's account is taken: on-cpu and run-queue (throttling included), the rest is unknown.
    pub tracked: bool,
    /// Time per [`Part`], the state in progress included, ns; nothing is network. The throttled
    /// part of a wait in progress still counts as run queue. Only differences of two readings mean
    /// something.
    pub ns: [u64; Part::ALL.len()],
}

impl ThreadUse {
    /// The time in one part, ns.
    #[must_use]
    pub const fn part(&self, part: Part) -> u64 {
        self.ns[part as usize]
    }
}
