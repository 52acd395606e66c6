//! A recording on the live view.

/// What a key asks of whoever plays the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackCommand {
    /// Stand still, or go on.
    Pause,
    /// To the end of the interval.
    Step,
    /// So many seconds on, or back.
    Seek(i64),
    /// To the beginning.
    Begin,
    /// To the end.
    End,
    /// The next speed.
    Faster,
    /// The speed before.
    Slower,
}

/// Where a replay is. Instants are nanoseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlaybackStatus {
    /// The beginning of the recording.
    pub from_ns: i64,
    /// Where it is.
    pub at_ns: i64,
    /// Its end; `None` while that is not known.
    pub until_ns: Option<i64>,
    /// How many times as fast as it was; `None`: without waiting.
    pub times: Option<f64>,
    /// It stands still.
    pub paused: bool,
    /// It hurries to where a key sent it.
    pub seeks: bool,
}
