//! An instant on both clocks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The instant of an update. The model reads no clock of its own, so that a recording makes the
/// same model again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub monotonic_ns: u64,
    /// The same instant, nanoseconds since 1970 UTC.
    pub utc_ns: i64,
}

impl Moment {
    /// The time since `earlier` by the monotonic clock; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.saturating_sub(earlier.monotonic_ns))
    }
}
