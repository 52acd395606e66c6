//! Which messages a trace shows.

use std::{num::NonZeroU64, time::Duration};

/// Which messages are drawn. Counters always cover all messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceFilter {
    /// Of the messages of a session that are slow enough, one in so many is drawn.
    pub every: NonZeroU64,
    /// Only messages at least this old when they were handed off are drawn.
    pub slower_than: Duration,
    /// The largest number of messages of a session that are drawn at one instant.
    pub lanes: usize,
}

impl TraceFilter {
    /// The default number of lanes. Perfetto's UI draws as many at 50 frames a second and more (v52
    /// without a GPU, scrolling through a backlog of 2,400); with 2,400 lanes it pauses for 0.4 s.
    pub const LANES: usize = 1000;
}

impl Default for TraceFilter {
    fn default() -> Self {
        Self {
            every: NonZeroU64::MIN,
            slower_than: Duration::ZERO,
            lanes: Self::LANES,
        }
    }
}
