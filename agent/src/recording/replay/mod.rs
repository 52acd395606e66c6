//! Tells a model, and through it the outputs, again what was recorded.

mod config;
mod control;
mod live_view;
mod playback;

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    time::Duration,
};

use thiserror::Error;
use tokio::time::{Instant, sleep_until};

pub use self::config::{PlaybackSpeed, ReplayConfig};
use self::{live_view::Player, playback::Stage};
use crate::{
    domain::Moment,
    outputs::{
        BindError, Endpoint, Exposition, Heartbeat, MAX_SERIES, MetricsServer, OutputError,
        OutputStatus, OutputWriter, node_name,
    },
    recording::{Header, ReadError, Reader},
    signals::StopSignals,
};

/// How many inputs pass before scrapes and signals get their turn.
const TURN: u64 = 1024;
/// How long it waits at a time, so that its heart beats.
const NAP: Duration = Duration::from_secs(1);

/// Why a replay could not begin, or is not whole.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The recording.
    #[error("{path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: ReadError,
    },
    /// The recording is damaged; what could be read was told.
    #[error(transparent)]
    Rest(ReadError),
    /// The metrics endpoint.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Standard output.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A live view was asked for, and there is nothing to draw it on.
    #[error("--top draws on a terminal, and standard output is none: leave it out here")]
    NoTerminal,
    /// The live view.
    #[error("the live view has failed: {0}")]
    Screen(#[source] io::Error),
    /// Signals.
    #[error("the replay could not be set up: {0}")]
    Runtime(#[source] io::Error),
}

impl ReplayError {
    /// Whether another call would mend it.
    #[must_use]
    pub const fn is_bad_use(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Bind(_) | Self::NoTerminal)
    }
}

/// Replays a recording; with metrics it goes on until a signal comes, in the live view until that
/// is left.
///
/// # Errors
/// [`ReplayError`]
pub fn replay(config: &ReplayConfig) -> Result<(), ReplayError> {
    if config.live_view && !io::stdout().is_terminal() {
        return Err(ReplayError::NoTerminal);
    }
    let reader = open(config)?;
    let outputs = OutputWriter::stdout(config.format, reader.header().watched.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ReplayError::Runtime)?;
    match runtime.block_on(tell(config, reader, outputs)) {
        // Nobody reads any more: a reason to end, not a failure.
        Err(ReplayError::Output(OutputError::Closed)) => Ok(()),
        ended => ended,
    }
}

fn open(config: &ReplayConfig) -> Result<Reader, ReplayError> {
    Reader::open(&config.file).map_err(|source| ReplayError::Read {
        path: config.file.display().to_string(),
        source,
    })
}

async fn tell(
    config: &ReplayConfig,
    reader: Reader,
    outputs: OutputWriter,
) -> Result<(), ReplayError> {
    let endpoint = match config.listen {
        Some(address) => Some(Endpoint::bind(address).await?),
        None => None,
    };
    let mut signals = StopSignals::new().map_err(ReplayError::Runtime)?;
    say_what(reader.header());
    let stage = Stage::new(reader.header(), outputs, config.interval);
    let server = endpoint.map(|e| {
        let status = OutputStatus::new(MAX_SERIES, node_name());
        let exposition = Exposition::new(Arc::clone(stage.model()), status);
        MetricsServer::start(e, exposition, stage.heartbeat())
    });
    let told = if config.live_view {
        Player::new(config, reader, stage)?.play(&mut signals).await
    } else {
        tell_lines(config, reader, stage, &mut signals, server.is_some()).await
    };
    if let Some(server) = server {
        server.stop().await;
    }
    match told? {
        Some(damaged) => Err(ReplayError::Rest(damaged)),
        None => Ok(()),
    }
}

fn say_what(header: &Header) {
    log::info!("replaying what was seen of {}", header.watched);
    if header.segment > 0 {
        log::info!(
            "it begins later than the watch did: {} older segments are gone",
            header.segment
        );
    }
}

fn say_lost(inputs: u64) {
    if inputs > 0 {
        log::info!("{inputs} inputs were told and not recorded: the figures lack them");
    }
}

/// In lines, to the end; gives the last damage that was met. With `metrics` it stays until a signal
/// comes.
async fn tell_lines(
    config: &ReplayConfig,
    mut reader: Reader,
    mut stage: Stage,
    signals: &mut StopSignals,
    metrics: bool,
) -> Result<Option<ReadError>, ReplayError> {
    let pace = Pace::new(
        reader.header().from,
        config.speed.unwrap_or(PlaybackSpeed::Max),
    );
    let played = tokio::select! {
        biased;
        () = signals.any() => None,
        played = play(&mut reader, &mut stage, &pace) => Some(played?),
    };
    let interrupted = played.is_none();
    say_lost(reader.lost());
    let summary = stage.rest(reader.until())?;
    stage.finish(&summary)?;
    if metrics && !interrupted {
        log::info!("the recording is over, its metrics are served until Ctrl-C");
        tokio::select! {
            () = signals.any() => {}
            () = stage.stay_alive() => {}
        }
    }
    Ok(played.flatten())
}

/// To the end; gives the last damage that was met.
async fn play(
    reader: &mut Reader,
    stage: &mut Stage,
    pace: &Pace,
) -> Result<Option<ReadError>, OutputError> {
    let mut damaged = None;
    let mut turn = 0_u64;
    for read in reader {
        match read {
            Ok((now, update)) => {
                pace.wait(now, stage.heartbeat()).await;
                stage.publish(now, update)?;
            }
            // The usual end of a recording whose agent was killed.
            Err(error @ ReadError::Truncated { .. }) => log::warn!("{error}"),
            Err(error) => damaged = Some(error),
        }
        turn += 1;
        if turn.is_multiple_of(TURN) {
            stage.heartbeat().beat();
            tokio::task::yield_now().await;
        }
    }
    Ok(damaged)
}

/// When what was told at a moment is to be told again.
struct Pace {
    began: Instant,
    from: Moment,
    speed: PlaybackSpeed,
}

impl Pace {
    fn new(from: Moment, speed: PlaybackSpeed) -> Self {
        Self {
            began: Instant::now(),
            from,
            speed,
        }
    }

    async fn wait(&self, now: Moment, heartbeat: &Heartbeat) {
        let PlaybackSpeed::Times(times) = self.speed else {
            return;
        };
        let after = Duration::try_from_secs_f64(now.since(self.from).as_secs_f64() / times);
        let Some(at) = after.ok().and_then(|after| self.began.checked_add(after)) else {
            return;
        };
        while Instant::now() < at {
            heartbeat.beat();
            sleep_until(at.min(Instant::now() + NAP)).await;
        }
    }
}
