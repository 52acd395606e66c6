//! The causes.

/// Why the messages of a session are old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// They are not old.
    Healthy,
    /// They arrive old: the network is slow or the venue sends late.
    NetworkOrVenueLate,
    /// The venue's clock is ahead of ours.
    ClockSkew,
    /// The reader waits for a lock.
    StarvedByLock,
    /// The CPU quota of the reader's cgroup is used up.
    Throttled,
    /// Other threads run on the CPU that the reader waits for.
    RunQueuePressure,
    /// The reader sleeps in a system call.
    SlowSink,
    /// The work on a message takes long, and the reader keeps up.
    SlowHandler,
    /// Messages arrive faster than the reader can process them, though it runs all the time.
    Overloaded,
    /// Too much was not observed, or no cause dominates.
    Unknown,
}

impl Cause {
    /// Every cause.
    pub(crate) const ALL: [Self; 10] = [
        Self::Healthy,
        Self::NetworkOrVenueLate,
        Self::ClockSkew,
        Self::StarvedByLock,
        Self::Throttled,
        Self::RunQueuePressure,
        Self::SlowSink,
        Self::SlowHandler,
        Self::Overloaded,
        Self::Unknown,
    ];

    /// The name used in JSON and metrics.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::NetworkOrVenueLate => "network_or_venue_late",
            Self::ClockSkew => "clock_skew",
            Self::StarvedByLock => "starved_by_lock",
            Self::Throttled => "throttled",
            Self::RunQueuePressure => "run_queue_pressure",
            Self::SlowSink => "slow_sink",
            Self::SlowHandler => "slow_handler",
            Self::Overloaded => "overloaded",
            Self::Unknown => "unknown",
        }
    }
}
