//! What a thread is doing at one instant, and samples of it for holders of locks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{culprit::CulpritId, matrix::Part};

/// A function of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Function {
    /// Qualified name (`JSONEncoder.encode`).
    pub name: String,
    /// File and first line (`json/encoder.py:183`).
    pub location: String,
}

/// What a thread was doing at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ThreadActivity {
    /// Its state: on-cpu, run-queue, lock-wait or blocked; unknown where only /proc could be read
    /// and it says no more than that the thread is runnable.
    pub state: Part,
    /// The system call it slept in; `None` when it was not asleep.
    pub call: Option<String>,
    /// The function it was in; `None` when that could not be resolved.
    pub function: Option<Function>,
}

/// A sample of the holder of a lock, taken while a tracked thread waited for that lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderSample {
    /// The instant, `CLOCK_MONOTONIC` nanoseconds.
    pub at_ns: u64,
    /// Thread id of the waiter.
    pub waiter: u32,
    /// The lock and its holder.
    pub culprit: CulpritId,
    /// What the holder was doing.
    pub activity: ThreadActivity,
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.location)
    }
}
