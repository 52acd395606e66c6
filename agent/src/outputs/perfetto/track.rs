//! The identity of a track and its order among others.

/// A track, by its number in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrackId(pub(super) u64);

/// The order of the tracks of a process. What fits into a line or two comes first, as the messages
/// of a backlog fill screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrackOrder {
    Session,
    Thread,
    Holder,
    Cgroup,
    Messages,
}

impl TrackOrder {
    /// The value of `TrackDescriptor.sibling_order_rank`.
    pub(super) const fn rank(self) -> i32 {
        self as i32
    }
}
