//! `cargo xtask demo`: the incident, live.
//!
//! A venue sends 600 ExecutionReports per second to a CPython process. In mode `thread` a second
//! thread of that process turns large lists into JSON and holds the GIL; in mode `process` the same
//! work is done by a separate process. The agent is attached, and its figures are shown beside the
//! application's own.

mod app;
pub mod background;
mod join;
mod matrix_sum;
mod observer;
mod options;
mod progress;
mod report;
mod view;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use lab::agent::{AgentOutput, MessageLine};
use lab::cpu;
use lab::cpython::Interpreter;
use lab::database::Database;
use lab::venue::{Venue, VenueOptions};
use signal_hook::consts::{SIGINT, SIGTERM};
use tempfile::TempDir;

use self::app::DemoApp;
pub use self::app::{AppHandOff, AppLog, AppRecord};
pub use self::join::JoinSummary;
use self::observer::Observer;
pub use self::options::{DemoMode, DemoOptions, ViewMode};
pub use self::report::{AgentSummary, BlameShare, DemoSummary, PartShare, VerdictLines};

/// Runs the demo with the agent in `binary` (`None`: without) and returns its summary. `show` gets
/// one line per second.
///
/// # Errors
/// The application or the agent cannot be started, ends early, or leaves a log that cannot be read.
pub fn run(
    options: &DemoOptions,
    binary: Option<&Path>,
    mut show: impl FnMut(&str),
) -> Result<DemoSummary> {
    ensure!(
        !(options.json && options.view == ViewMode::Always),
        "--json and the live view both want standard output"
    );
    let stop = stop_flag()?;
    let sudo = binary.is_some() && !workspace::is_root();
    if sudo {
        workspace::warm_sudo()?;
    }
    let mut incident = Incident::start(options, &stop, &mut show)?;
    if binary.is_some() {
        show(&format!(
            "attaching the agent to pid {}",
            incident.app.pid()
        ));
    }
    let mut observer = binary
        .map(|binary| {
            Observer::attach(
                options,
                binary,
                incident.app.pid(),
                incident.folder.path(),
                sudo,
            )
        })
        .transpose()?;
    incident.venue.open_gate();
    if !observer.as_ref().is_some_and(Observer::is_view) {
        show(&incident.greeting(options));
    }
    let ran = watch(options, &mut incident, observer.as_mut(), &stop, &mut show)?;
    // First the agent, so that it still observes a living process; then the application, which
    // writes its log.
    if let Some(observer) = observer.as_mut().filter(|_| !sudo) {
        observer.interrupt_and_wait(Duration::from_secs(10));
    }
    let Incident { app, venue, .. } = incident;
    let (log, account) = app.stop()?;
    let output = observer
        .map(|observer| observer.finish(Duration::from_secs(20)))
        .transpose()?;
    let sent = venue.stop()?;
    let agent = output.as_ref().map(checked).transpose()?;
    DemoSummary::new(options, ran, sent.len(), (&log, account), agent)
}

/// The processes of the incident, and the venue.
struct Incident {
    app: DemoApp,
    venue: Venue,
    python: Interpreter,
    folder: TempDir,
    _database: Database,
}

impl Incident {
    /// Starts all processes and waits for the application's logon; the venue's gate is still
    /// closed.
    fn start(
        options: &DemoOptions,
        stop: &AtomicBool,
        show: &mut impl FnMut(&str),
    ) -> Result<Self> {
        let python = Interpreter::find(&options.python)?;
        let cpus = cpu::pair();
        if cpus.is_none() {
            show(
                "only one CPU is available: both threads share it, and the backlog may not build up",
            );
        }
        let database = Database::start(Duration::from_millis(1))?;
        let venue = Venue::start(VenueOptions {
            rate: options.rate,
            ..VenueOptions::default()
        })?;
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let place = app::AppEnvironment {
            venue: venue.port(),
            database: database.port(),
            cpus,
            folder: folder.path(),
        };
        let mut app = DemoApp::start(options, &python, &place)?;
        app.wait_connected(&venue, Duration::from_secs(20), stop)?;
        Ok(Self {
            app,
            venue,
            python,
            folder,
            _database: database,
        })
    }

    /// The first line.
    fn greeting(&self, options: &DemoOptions) -> String {
        let processor = match options.mode {
            DemoMode::Thread => "a thread of the same process",
            DemoMode::Process => "a separate process",
        };
        format!(
            "{} msg/s to pid {} ({}), the processor is {processor}; Ctrl-C ends it early",
            options.rate,
            self.app.pid(),
            self.python.version
        )
    }
}

/// Shows a line per second until the time is over, `stop` is set or the live view is closed;
/// returns how long messages flowed.
fn watch(
    options: &DemoOptions,
    incident: &mut Incident,
    mut observer: Option<&mut Observer>,
    stop: &AtomicBool,
    show: &mut impl FnMut(&str),
) -> Result<Duration> {
    let mut live = progress::ProgressLine::default();
    let start = Instant::now();
    let mut tick = start;
    while start.elapsed() < Duration::from_secs(options.seconds) && !stop.load(Ordering::Relaxed) {
        tick += Duration::from_secs(1);
        while Instant::now() < tick && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        incident.app.check()?;
        let (lag, venue) = (incident.app.lag(), &incident.venue);
        match &mut observer {
            Some(Observer::View(view)) => {
                if view.ended().is_some() {
                    break;
                }
            }
            Some(Observer::Lines(agent)) => {
                let messages = agent.messages_from(live.shown());
                show(&live.line(start.elapsed(), lag, venue, Some(&messages)));
                if let Some(status) = agent.ended() {
                    bail!("the agent ended early ({status})");
                }
            }
            None => show(&live.line(start.elapsed(), lag, venue, None)),
        }
    }
    Ok(start.elapsed())
}

/// Returns the messages and the summary of an agent that ended without errors.
fn checked(output: &AgentOutput) -> Result<(&[MessageLine], &serde_json::Value)> {
    ensure!(
        output.status.success(),
        "the agent ended with {}",
        output.status
    );
    if let Some(error) = output.errors.first() {
        bail!("the agent wrote lines that cannot be read: {error}");
    }
    let summary = output.summary.as_ref();
    Ok((
        &output.messages,
        summary.context("no summary from the agent")?,
    ))
}

/// Returns a flag that the first Ctrl-C or SIGTERM sets; the second one ends the process at once.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}
