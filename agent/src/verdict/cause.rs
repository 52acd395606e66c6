//! What can be the matter.

/// Why the messages of a session are old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// They are not.
    Healthy,
    /// They arrive old: the network, or a venue that sends late.
    NetworkOrVenueLate,
    /// The venue's clock is ahead of ours.
    ClockSkew,
    /// The ingest thread waits for a lock.
    StarvedByLock,
    /// Its cgroup's CPU quota is used up.
    Throttled,
    /// Others have its CPU.
    RunQueuePressure,
    /// It sleeps in a system call.
    SlowSink,
    /// The work on a message takes long, and the thread keeps up.
    SlowHandler,
    /// More comes in than the thread can work off, though it does nothing else.
    Overloaded,
    /// Too much was not observed, or nothing stands out.
    Unknown,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 10] = [
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
    pub const fn name(self) -> &'static str {
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
