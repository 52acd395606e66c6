//! The commands that read a recording: `replay`, `export`.

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use tag52::{
    outputs::{OutputFormat, perfetto::TraceFilter},
    recording::{
        export::ExportConfig,
        replay::{PlaybackSpeed, ReplayConfig},
    },
};

use super::values::{Json, address, duration, format, speed, time};

/// The arguments of `tag52 replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayCommand {
    /// The recording. Its older segments (FILE.1, ...) are found automatically.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The time between two lines per session, in recorded time: 500ms, 1s, 1m. Default: as
    /// recorded.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) interval: Option<Duration>,
    /// Write JSON lines instead of text.
    #[arg(long, value_name = "WHAT")]
    pub(crate) json: Option<Json>,
    /// Serve Prometheus metrics at /metrics and health at /healthz, after the end too, until
    /// Ctrl-C.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// How many times faster than recorded: 1, 10, max. Default: max, with --top 1.
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    pub(crate) speed: Option<PlaybackSpeed>,
    /// Play it in the live view, where keys pause, step, seek and change the speed.
    #[arg(long, conflicts_with = "json")]
    pub(crate) top: bool,
}

/// The arguments of `tag52 export`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportCommand {
    /// The recording. Its older segments (FILE.1, ...) are found automatically.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write a trace for the Perfetto UI to this file.
    #[arg(long, value_name = "OUT")]
    pub(crate) perfetto: PathBuf,
    /// Draw every Nth message of a session.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) every: NonZeroU64,
    /// Draw only messages that are at least this old at their hand-off: 1ms, 2s.
    #[arg(long, value_name = "AGE", value_parser = time)]
    pub(crate) slower_than: Option<Duration>,
    /// Draw at most N messages of a session at any instant, chosen evenly.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(TraceFilter::LANES).expect("not 0"))]
    pub(crate) lanes: NonZeroUsize,
}

impl ReplayCommand {
    /// The configuration of this replay.
    pub(crate) fn config(self) -> ReplayConfig {
        ReplayConfig {
            format: if self.top {
                OutputFormat::SummaryOnly
            } else {
                format(self.json)
            },
            file: self.file,
            interval: self.interval,
            listen: self.listen,
            speed: self.speed,
            live_view: self.top,
        }
    }
}

impl ExportCommand {
    /// The configuration of this export.
    pub(crate) fn config(self) -> ExportConfig {
        ExportConfig {
            recording: self.file,
            trace: self.perfetto,
            filter: TraceFilter {
                every: self.every,
                slower_than: self.slower_than.unwrap_or_default(),
                lanes: self.lanes.get(),
            },
        }
    }
}
