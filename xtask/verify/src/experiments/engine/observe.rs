//! One run: the venue, the client on QuickFIX, and the agent beside it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Context;
use crate::observe::{attach, outcome as orderly};
use lab::agent::MessageLine;
use lab::blame::Blame;
use lab::cpu;
use lab::database::Database;
use lab::process;
use lab::quickfix::{ClientSetup, DeliveredMessage, Engine, EngineClient, Processor};
use lab::venue::{self, ClientMessage, SentMessage, Venue};

/// Messages of the session layer come in between, so often.
const BEAT_EVERY: u64 = 50;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct EngineCase {
    /// For the table.
    pub(super) name: &'static str,
    /// Where the processor runs.
    pub(super) processor: Processor,
    /// The agent's `--handoff`.
    pub(super) handoff: Option<&'static str>,
    /// ExecutionReports per second.
    pub(super) rate: f64,
    /// Elements per list that the processor turns into JSON while it holds the GIL.
    pub(super) elements: u32,
    /// MaxLatency in seconds; the stream then goes on until the engine logs out.
    pub(super) max_latency: Option<u32>,
    /// Length of the stream.
    pub(super) seconds: f64,
    /// One message is lost on its way after a quarter of the stream.
    pub(super) loses: bool,
}

impl EngineCase {
    /// A stream of so many seconds with nothing special.
    pub(super) const fn new(
        name: &'static str,
        processor: Processor,
        seconds: f64,
        handoff: Option<&'static str>,
    ) -> Self {
        Self {
            name,
            processor,
            handoff,
            rate: 600.0,
            elements: 200_000,
            max_latency: None,
            seconds,
            loses: false,
        }
    }
}

/// The logs of all sides, and the agent's output.
#[derive(Debug)]
pub(super) struct EngineRun {
    /// What was run.
    pub(super) case: EngineCase,
    /// The venue's messages, logon answer included.
    pub(super) sent: Vec<SentMessage>,
    /// The engine's messages.
    pub(super) heard: Vec<ClientMessage>,
    /// What reached the application.
    pub(super) delivered: Vec<DeliveredMessage>,
    /// What the agent says.
    pub(super) messages: Vec<MessageLine>,
    /// Whom it blames.
    pub(super) blame: Blame,
    /// The processor's thread, if it is one of the engine's process.
    pub(super) holder: Option<i32>,
}

/// Runs one case.
pub(super) fn observe(
    context: &Context<'_>,
    engine: &Engine,
    case: EngineCase,
) -> Result<EngineRun> {
    let until_logout = case.max_latency.is_some();
    let count = if until_logout {
        (case.rate * case.seconds) as u64
    } else {
        context.messages(case.rate, case.seconds)
    };
    let database = Database::start(Duration::from_millis(1))?;
    let venue = Venue::start(venue::VenueOptions {
        rate: case.rate,
        count: Some(count),
        beat_every: Some(BEAT_EVERY),
        lose: case.loses.then_some(count / 4),
        ..venue::VenueOptions::default()
    })?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let setup = ClientSetup {
        processor: case.processor,
        elements: case.elements,
        max_latency: case.max_latency,
        cpus: cpu::pair(),
    };
    let mut app = EngineClient::start(engine, setup, &venue, database.port(), folder.path())?;
    let handoff = case.handoff.map(|function| ["--handoff", function]);
    let agent = attach(
        context,
        app.pid(),
        handoff.as_ref().map_or(&[], |words| words),
    )?;

    let holder = match case.processor {
        Processor::Thread => Some(process::thread(app.pid(), "processor")?),
        Processor::Process => None,
    };
    venue.open_gate();
    let deadline = Instant::now() + Duration::from_secs_f64(count as f64 / case.rate + 20.0);
    while venue.sent() < count && !venue.finished() {
        ensure!(
            app.ended().is_none(),
            "the QuickFIX client ended in mid-stream"
        );
        ensure!(Instant::now() < deadline, "the stream did not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let delivered = app.stop()?;
    // It ends with the process it watches.
    let outcome = orderly(agent)?;
    let heard = venue.received();
    let sent = venue.stop()?;
    Ok(EngineRun {
        case,
        sent,
        heard,
        delivered,
        blame: outcome.blame()?,
        messages: outcome.messages,
        holder,
    })
}
