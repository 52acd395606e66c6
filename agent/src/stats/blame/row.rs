//! The figures of one culprit.

use std::sync::Arc;

use crate::{
    domain::{Culprit, Lock, Part, Wait},
    stats::activity::HolderSamples,
};

/// A lock wait that a timer interrupted at least so often outlasted a request to yield: CPython's
/// waiter sets the request after its first timed sleep (Python/ceval_gil.h, `take_gil`).
const UNINTERRUPTIBLE_TIMEOUTS: u32 = 2;

/// What one culprit of one part is charged with. The rows of a part sum to that part.
#[derive(Clone, Debug)]
pub(crate) struct BlameRow {
    /// The part.
    pub part: Part,
    /// The culprit; `None` in the row of all others, which has the waits too short to be reported
    /// one by one and the time that was not observed.
    pub culprit: Option<Arc<Culprit>>,
    /// Share of the messages' ages, nanoseconds, summed over messages like the part itself.
    pub ns: i128,
    /// The part of `ns` during which the messages were held back at the sender, nanoseconds. The
    /// rows of a part sum to the part of that stage.
    pub held_back_ns: i128,
    /// The reader's own waits, each counted once however many messages waited with it.
    pub waits: WaitStats,
    /// Lock-wait: samples of the holder during these waits.
    pub samples: HolderSamples,
}

impl BlameRow {
    /// The charge of a wait that goes on.
    pub(crate) fn in_progress(part: Part, culprit: Arc<Culprit>, ns: i64) -> Self {
        Self {
            part,
            culprit: Some(culprit),
            ns: i128::from(ns),
            held_back_ns: 0,
            waits: WaitStats::default(),
            samples: HolderSamples::default(),
        }
    }

    /// Whether it names a culprit: not the row of all others, nor that of an unobserved releaser.
    #[must_use]
    pub(crate) fn is_attributed(&self) -> bool {
        match self.culprit.as_deref() {
            None => false,
            Some(Culprit::Holder { thread, .. }) => thread.tid != 0,
            Some(_) => true,
        }
    }

    /// Whether the culprit holds CPython's global interpreter lock.
    #[must_use]
    pub(crate) fn is_gil(&self) -> bool {
        matches!(
            self.culprit.as_deref(),
            Some(Culprit::Holder {
                lock: Lock::Gil,
                ..
            })
        )
    }
}

/// The waits of a thread for one culprit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WaitStats {
    /// Number of waits.
    pub count: u64,
    /// Their summed length, nanoseconds.
    pub ns: u64,
    /// The longest one, nanoseconds.
    pub longest_ns: u64,
    /// Lock-wait: the number of uninterruptible holds. The other waits ended with a hand-over.
    pub uninterruptible: u64,
    /// The summed length of the waits for these, nanoseconds.
    pub uninterruptible_ns: u64,
}

impl WaitStats {
    /// Whether more than half of the time went into uninterruptible holds.
    #[must_use]
    pub(crate) const fn mostly_uninterruptible(&self) -> bool {
        self.uninterruptible_ns * 2 > self.ns
    }

    pub(super) fn add(&mut self, wait: &Wait) {
        self.count += 1;
        self.ns += wait.ns;
        self.longest_ns = self.longest_ns.max(wait.ns);
        if wait.part == Part::LockWait && wait.timeouts >= UNINTERRUPTIBLE_TIMEOUTS {
            self.uninterruptible += 1;
            self.uninterruptible_ns += wait.ns;
        }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.ns += other.ns;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.uninterruptible += other.uninterruptible;
        self.uninterruptible_ns += other.uninterruptible_ns;
    }
}
