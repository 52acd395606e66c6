//! What to replay, how fast, and what is shown of it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::outputs::OutputFormat;

/// A replay.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// The newest segment of the recording; older ones are found by their names.
    pub file: PathBuf,
    /// The length of an interval, in recorded time; `None`: intervals end where they were recorded.
    pub interval: Option<Duration>,
    /// What goes to standard output, unless there is a live view.
    pub format: OutputFormat,
    /// Where metrics are served, after the end of the recording too.
    pub listen: Option<SocketAddr>,
    /// `None`: without waiting; in the live view as fast as it was recorded.
    pub speed: Option<PlaybackSpeed>,
    /// Play it in the live view on the terminal.
    pub live_view: bool,
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlaybackSpeed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// Without waiting.
    Max,
}
