//! What a replay is asked to do.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::outputs::OutputFormat;

/// What is replayed, and how.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// The newest segment; older ones are found by themselves.
    pub file: PathBuf,
    /// Time between two lines per session, in recorded time; `None`: as in the recorded run.
    pub interval: Option<Duration>,
    /// What goes to standard output.
    pub format: OutputFormat,
    /// Where metrics are served, after the end too.
    pub listen: Option<SocketAddr>,
    /// How fast; `None`: as fast as possible, in the live view as fast as it was.
    pub speed: Option<PlaybackSpeed>,
    /// Whether it is played in the live view.
    pub live_view: bool,
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlaybackSpeed {
    /// So many times as fast as it was.
    Times(f64),
    /// Without waiting.
    Max,
}
