//! A replay in the live view: what keys ask of it, and where it is.

/// What a key asks of the replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaybackCommand {
    /// Pause, or go on.
    Pause,
    /// Go to the end of the interval and pause there.
    Step,
    /// Go so many seconds forward, or back when negative.
    Seek(i64),
    /// Go to the beginning.
    Begin,
    /// Go to the end.
    End,
    /// Take the next faster speed.
    Faster,
    /// Take the next slower speed.
    Slower,
}

/// Where a replay is. Instants are nanoseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlaybackStatus {
    /// The beginning of the recording.
    pub(crate) begin_ns: i64,
    /// The instant that is shown.
    pub(crate) position_ns: i64,
    /// The end of the recording; `None` while it is being searched.
    pub(crate) end_ns: Option<i64>,
    /// How many times faster than recorded; `None` for as fast as possible.
    pub(crate) speed: Option<f64>,
    /// It is paused.
    pub(crate) paused: bool,
    /// It is on its way to where a key sent it.
    pub(crate) seeking: bool,
}
