//! Replay: the updates of a recording go to a model, and through it to the outputs, once more.

mod config;
mod control;
mod lines;
mod live_view;
mod playback;

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    time::Duration,
};

use thiserror::Error;

pub use self::config::{PlaybackSpeed, ReplayConfig};
use self::{live_view::LiveViewPlayer, playback::Playback};
use crate::{
    domain::units::counted,
    outputs::{
        BindError, Endpoint, Exposition, MAX_SERIES, MetricsServer, OutputError, OutputFormat,
        OutputStatus, OutputWriter, node_name,
    },
    recording::{ReadError, RecordingHeader, RecordingReader},
    signals::StopSignals,
};

/// Updates that are published in a row before scrapes, signals and keys get their turn.
const UPDATES_PER_YIELD: u64 = 1024;
/// How long a replay sleeps at a time, so that its heart beats.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// Why a replay could not begin, or is not whole.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The recording cannot be opened.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What failed.
        source: ReadError,
    },
    /// The recording is damaged; what could be read was replayed.
    #[error("the figures are incomplete: {0}")]
    Rest(ReadError),
    /// The metrics endpoint cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Standard output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A live view was asked for, and standard output is no terminal.
    #[error("--top needs a terminal and standard output is not one: run it without --top")]
    NoTerminal,
    /// The live view failed.
    #[error("the live view has failed: {0}")]
    Screen(#[source] io::Error),
    /// The runtime or the signal handlers could not be set up.
    #[error("the replay could not be set up: {0}")]
    Runtime(#[source] io::Error),
}

impl ReplayError {
    /// Whether other arguments would mend it.
    #[must_use]
    pub const fn is_bad_use(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Bind(_) | Self::NoTerminal)
    }
}

/// Replays a recording. With metrics it goes on until a signal comes, in the live view until that
/// is left.
///
/// # Errors
/// [`ReplayError`]
pub fn replay(config: &ReplayConfig) -> Result<(), ReplayError> {
    if config.live_view && !io::stdout().is_terminal() {
        return Err(ReplayError::NoTerminal);
    }
    let reader = open(config)?;
    let format = if config.live_view {
        OutputFormat::SummaryOnly
    } else {
        config.format
    };
    let outputs = OutputWriter::stdout(format, reader.header().target.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ReplayError::Runtime)?;
    match runtime.block_on(run(config, reader, outputs)) {
        // Nobody reads the output any more: a reason to end, not a failure.
        Err(ReplayError::Output(OutputError::Closed)) => Ok(()),
        ended => ended,
    }
}

fn open(config: &ReplayConfig) -> Result<RecordingReader, ReplayError> {
    RecordingReader::open(&config.file).map_err(|source| ReplayError::Read {
        path: config.file.display().to_string(),
        source,
    })
}

async fn run(
    config: &ReplayConfig,
    reader: RecordingReader,
    outputs: OutputWriter,
) -> Result<(), ReplayError> {
    let endpoint = match config.listen {
        Some(address) => Some(Endpoint::bind(address).await?),
        None => None,
    };
    let mut signals = StopSignals::new().map_err(ReplayError::Runtime)?;
    report_begin(reader.header());
    let playback = Playback::new(reader.header(), outputs, config.interval);
    let server = endpoint.map(|endpoint| {
        let status = OutputStatus::new(MAX_SERIES, node_name());
        let exposition = Exposition::new(Arc::clone(playback.model()), status);
        MetricsServer::start(endpoint, exposition, playback.heartbeat())
    });
    let played = if config.live_view {
        LiveViewPlayer::new(config, reader, playback)?
            .play(&mut signals)
            .await
    } else {
        lines::play(config, reader, playback, &mut signals, server.is_some()).await
    };
    if let Some(server) = server {
        server.stop().await;
    }
    match played? {
        Some(damage) => Err(ReplayError::Rest(damage)),
        None => Ok(()),
    }
}

fn report_begin(header: &RecordingHeader) {
    log::info!("replaying a recording of {}", header.target);
    if header.segment > 0 {
        log::warn!(
            "this recording lacks {}; totals lack the beginning of the run",
            counted(header.segment, "older segment")
        );
    }
}

fn report_lost(updates: u64) {
    if updates > 0 {
        let dropped = counted(updates, "update");
        log::warn!("{dropped} dropped from this recording; totals are incomplete");
    }
}

/// The usual end of a recording whose agent was killed.
fn report_truncated(error: &ReadError) {
    log::warn!("{error}; the figures end there");
}
