//! What became of the updates of a recording in its trace, as numbers.

/// How many messages, waits and holds a trace has, and how many it omits. The trace contains the
/// same numbers as its attributes, and as arguments of the instant `exported` on the track
/// `tag52`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCounts {
    /// Messages with an age.
    pub messages: u64,
    /// Messages that are drawn.
    pub drawn: u64,
    /// Messages not drawn because they were younger than
    /// [`TraceFilter::slower_than`](super::TraceFilter::slower_than). Unless that is zero, these
    /// include all messages with a negative age.
    pub omitted_faster: u64,
    /// Messages not drawn because of [`TraceFilter::every`](super::TraceFilter::every).
    pub omitted_every: u64,
    /// Messages not drawn because more of them overlapped than
    /// [`TraceFilter::lanes`](super::TraceFilter::lanes); those drawn are chosen evenly.
    pub omitted_no_lane: u64,
    /// Messages not drawn because they were sent before the machine was started, where the clock of
    /// the trace begins.
    pub omitted_before_boot: u64,
    /// Messages without an age.
    pub excluded: u64,
    /// Events that the agent lost while it recorded.
    pub lost_events: u64,
    /// Waits of tracked threads.
    pub waits: u64,
    /// Waits not drawn because too many overlapped.
    pub omitted_waits: u64,
    /// Holds of locks that were waited for.
    pub holds: u64,
    /// Holds not drawn because too many overlapped.
    pub omitted_holds: u64,
    /// Samples of what holders were doing.
    pub samples: u64,
}

impl ExportCounts {
    /// The numbers with their names in the trace.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("messages", self.messages),
            ("drawn", self.drawn),
            ("left_out_faster", self.omitted_faster),
            ("left_out_every", self.omitted_every),
            ("left_out_no_lane", self.omitted_no_lane),
            ("left_out_before_boot", self.omitted_before_boot),
            ("excluded", self.excluded),
            ("lost_events", self.lost_events),
            ("waits", self.waits),
            ("left_out_waits", self.omitted_waits),
            ("holds", self.holds),
            ("left_out_holds", self.omitted_holds),
            ("samples", self.samples),
        ]
    }
}
