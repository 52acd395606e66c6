//! What is taken out of the reader's time.

use super::service::Service;
use crate::domain::Part;

/// One thing that is different in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// Nothing: how well the replay does.
    AsItWas,
    /// No lock-wait.
    WithoutLock,
    /// No throttling.
    WithoutThrottle,
    /// No waiting behind others on the run queue.
    WithoutRunQueue,
    /// No sleeping in system calls other than futex(2).
    WithoutBlocked,
    /// Half the time on the CPU.
    FasterHandler,
    /// Neither throttling nor run queue.
    MoreCpu,
}

impl Scenario {
    /// Every scenario, the one that changes nothing first.
    pub const ALL: [Self; 7] = [
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
    pub const fn name(self) -> &'static str {
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

    /// How the reader's time is spoken of in this scenario.
    pub(crate) const fn phrase(self) -> &'static str {
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

    /// How much of `service` is left, nanoseconds.
    pub(crate) fn left_of(self, service: &Service) -> i64 {
        // Who does not wait keeps the CPU and does not ask again: what the wait left behind goes
        // with it.
        let waits = |part| service.part(part) + service.left_behind(part);
        let gone = match self {
            Self::AsItWas => 0,
            Self::WithoutLock => waits(Part::LockWait),
            Self::WithoutThrottle => waits(Part::Throttle),
            Self::WithoutRunQueue => service.part(Part::RunQueue),
            Self::WithoutBlocked => waits(Part::Blocked),
            Self::FasterHandler => service.part(Part::OnCpu) / 2,
            Self::MoreCpu => service.part(Part::Throttle) + service.part(Part::RunQueue),
        };
        service.total() - gone
    }
}
