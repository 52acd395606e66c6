//! The scenarios: what is removed from the time of the reader.

use super::reader_time::ReaderTime;
use crate::domain::Part;

/// The one difference between a replay and what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scenario {
    /// No difference: shows how exact the replay is.
    AsItWas,
    /// Without lock-wait.
    WithoutLock,
    /// Without throttling.
    WithoutThrottle,
    /// Without waiting on the run queue.
    WithoutRunQueue,
    /// Without sleeping in system calls other than futex(2).
    WithoutBlocked,
    /// With half the time on the CPU.
    FasterHandler,
    /// Without throttling and run queue.
    MoreCpu,
}

impl Scenario {
    /// Every scenario, [`Self::AsItWas`] first.
    pub(crate) const ALL: [Self; 7] = [
        Self::AsItWas,
        Self::WithoutLock,
        Self::WithoutThrottle,
        Self::WithoutRunQueue,
        Self::WithoutBlocked,
        Self::FasterHandler,
        Self::MoreCpu,
    ];

    /// The name used in JSON.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AsItWas => "as_it_was",
            Self::WithoutLock => "without_lock",
            Self::WithoutThrottle => "without_throttle",
            Self::WithoutRunQueue => "without_run_queue",
            Self::WithoutBlocked => "without_blocked",
            Self::FasterHandler => "faster_handler",
            Self::MoreCpu => "more_cpu",
        }
    }

    /// The scenario in the sentences of verdicts.
    pub(super) const fn phrase(self) -> &'static str {
        match self {
            Self::AsItWas => "as it was",
            Self::WithoutLock => "without the lock wait",
            Self::WithoutThrottle => "without the throttling",
            Self::WithoutRunQueue => "without the run-queue wait",
            Self::WithoutBlocked => "without the blocking calls",
            Self::FasterHandler => "with a handler twice as fast",
            Self::MoreCpu => "with more CPU",
        }
    }

    /// How much of `time` remains in this scenario, nanoseconds.
    pub(super) fn remaining_ns(self, time: &ReaderTime) -> i64 {
        // A thread that does not wait keeps its CPU and does not retry: the aftermath goes as well.
        let waits = |part| time.part(part) + time.aftermath(part);
        let removed = match self {
            Self::AsItWas => 0,
            Self::WithoutLock => waits(Part::LockWait),
            Self::WithoutThrottle => waits(Part::Throttle),
            Self::WithoutRunQueue => time.part(Part::RunQueue),
            Self::WithoutBlocked => waits(Part::Blocked),
            Self::FasterHandler => time.part(Part::OnCpu) / 2,
            Self::MoreCpu => time.part(Part::Throttle) + time.part(Part::RunQueue),
        };
        time.total() - removed
    }
}
