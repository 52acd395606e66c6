//! Tells a model, and through it the outputs, again what was recorded.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    cli::{Replay, Speed},
    model::{Input, Model, Moment},
    outputs::{BindError, Endpoint, Heartbeat, OutputError, Outputs},
    record::{ReadError, Reader, Told},
    run::Server,
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
    /// Signals.
    #[error("the replay could not be set up: {0}")]
    Runtime(#[source] io::Error),
}

impl ReplayError {
    /// Whether another call would mend it.
    #[must_use]
    pub const fn is_bad_use(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Bind(_))
    }
}

/// Replays a recording; with metrics it goes on until a signal comes.
///
/// # Errors
/// [`ReplayError`]
pub fn replay(arguments: &Replay) -> Result<(), ReplayError> {
    let reader = Reader::open(&arguments.file).map_err(|source| ReplayError::Read {
        path: arguments.file.display().to_string(),
        source,
    })?;
    let outputs = Outputs::stdout(arguments.format(), reader.header().watched.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ReplayError::Runtime)?;
    match runtime.block_on(tell(arguments, reader, outputs)) {
        // Nobody reads any more: a reason to end, not a failure.
        Err(ReplayError::Output(OutputError::Closed)) => Ok(()),
        ended => ended,
    }
}

async fn tell(arguments: &Replay, mut reader: Reader, outputs: Outputs) -> Result<(), ReplayError> {
    let endpoint = match arguments.listen {
        Some(address) => Some(Endpoint::bind(address).await?),
        None => None,
    };
    let mut signals = Signals::new().map_err(ReplayError::Runtime)?;
    let header = reader.header();
    eprintln!("tag52: replaying what was seen of {}", header.watched);
    if header.segment > 0 {
        eprintln!(
            "tag52: it begins later than the watch did: {} older segments are gone",
            header.segment
        );
    }
    let mut stage = Stage::new(header.from, outputs, arguments.interval);
    let server = endpoint.map(|e| Server::start(e, &stage.model, &stage.heartbeat));
    let pace = Pace::new(header.from, arguments.speed);
    let played = tokio::select! {
        biased;
        () = signals.any() => None,
        played = play(&mut reader, &mut stage, &pace) => Some(played?),
    };
    let interrupted = played.is_none();
    if reader.lost() > 0 {
        eprintln!(
            "tag52: {} inputs were told and not recorded: the figures lack them",
            reader.lost()
        );
    }
    stage.finish(reader.until())?;
    if let Some(server) = server {
        if !interrupted {
            eprintln!("tag52: the recording is over, its metrics are served until Ctrl-C");
            tokio::select! {
                () = signals.any() => {}
                () = stage.stay_alive() => {}
            }
        }
        server.stop().await;
    }
    match played.flatten() {
        Some(damaged) => Err(ReplayError::Rest(damaged)),
        None => Ok(()),
    }
}

/// To the end; gives the last damage that was met.
async fn play(
    reader: &mut Reader,
    stage: &mut Stage,
    pace: &Pace,
) -> Result<Option<ReadError>, OutputError> {
    let mut damaged = None;
    let mut turn = 0_u64;
    while let Some(told) = reader.next_told() {
        match told {
            Ok((now, told)) => {
                pace.wait(now, &stage.heartbeat).await;
                stage.told(now, told)?;
            }
            // The usual end of a recording whose agent was killed.
            Err(error @ ReadError::Truncated { .. }) => eprintln!("tag52: {error}"),
            Err(error) => damaged = Some(error),
        }
        turn += 1;
        if turn.is_multiple_of(TURN) {
            stage.heartbeat.beat();
            tokio::task::yield_now().await;
        }
    }
    Ok(damaged)
}

/// What is told, and when intervals end.
struct Stage {
    model: Arc<Mutex<Model>>,
    outputs: Outputs,
    heartbeat: Arc<Heartbeat>,
    /// The next interval's end; `None` when intervals end where they did.
    due: Option<(Moment, Duration)>,
}

impl Stage {
    fn new(from: Moment, outputs: Outputs, every: Option<Duration>) -> Self {
        Self {
            model: Arc::new(Mutex::new(Model::new(from))),
            outputs,
            heartbeat: Arc::default(),
            due: every.map(|every| (later(from, every), every)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&mut self, now: Moment, told: Told) -> Result<(), OutputError> {
        self.intervals(now)?;
        match told {
            Told::Input(input) => {
                self.lock().take(now, &input);
                match &input {
                    Input::Message(message) => self.outputs.message(message),
                    _ => Ok(()),
                }
            }
            Told::Interval if self.due.is_none() => self.interval(now),
            Told::Interval => Ok(()),
        }
    }

    /// Those that end until `now`.
    fn intervals(&mut self, now: Moment) -> Result<(), OutputError> {
        while let Some((due, every)) = self.due
            && now.monotonic_ns >= due.monotonic_ns
        {
            // By the clock of what comes next: it may have been set meanwhile.
            let ahead = now.monotonic_ns - due.monotonic_ns;
            let utc_ns = now.utc_ns.saturating_sub_unsigned(ahead);
            self.interval(Moment { utc_ns, ..due })?;
            self.due = Some((later(due, every), every));
        }
        Ok(())
    }

    fn interval(&mut self, now: Moment) -> Result<(), OutputError> {
        let interval = self.lock().take_interval(now);
        self.outputs.interval(&interval)
    }

    fn finish(&mut self, now: Moment) -> Result<(), OutputError> {
        self.intervals(now)?;
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        self.outputs.conclude(&mut model, now)
    }

    async fn stay_alive(&self) {
        loop {
            self.heartbeat.beat();
            sleep(NAP).await;
        }
    }
}

fn later(moment: Moment, by: Duration) -> Moment {
    let ns = by.as_nanos() as u64;
    Moment {
        monotonic_ns: moment.monotonic_ns.saturating_add(ns),
        utc_ns: moment.utc_ns.saturating_add_unsigned(ns),
    }
}

/// When what was told at a moment is to be told again.
struct Pace {
    began: Instant,
    from: Moment,
    speed: Speed,
}

impl Pace {
    fn new(from: Moment, speed: Speed) -> Self {
        Self {
            began: Instant::now(),
            from,
            speed,
        }
    }

    async fn wait(&self, now: Moment, heartbeat: &Heartbeat) {
        let Speed::Times(times) = self.speed else {
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

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
