//! `cargo xtask demo`: the incident, live.
//!
//! A venue sends 600 ExecutionReports per second to a CPython process. In mode `thread` a second
//! thread of that process turns large lists into JSON and holds the GIL; in mode `process` the same
//! work is done by a process of its own. The agent is attached, and what it says is shown beside
//! what the application says itself.

mod app;
pub mod background;
mod join;
mod live;
mod report;
mod split;
mod view;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use signal_hook::consts::{SIGINT, SIGTERM};

use lab::agent::{Agent, AgentOutput, Launch};
use lab::cpu;
use lab::cpython::Interpreter;
use lab::database::Database;
use lab::venue::{self, Venue};

pub use self::app::{Account, AppLog, HandOff};
pub use self::join::{Joined, Quantiles};
pub use self::report::{AgentSummary, Blamed, Part, Summary, Verdict};

/// Where the processor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// as a thread of the ingest process: the incident
    Thread,
    /// as a process of its own: the cure
    Process,
}

/// Whether the agent's live view is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum View {
    /// on a terminal
    #[default]
    Auto,
    /// in any case
    Always,
    /// a line a second instead
    Never,
}

impl View {
    fn opens(self, options: &Options) -> bool {
        match self {
            Self::Auto => !options.json && std::io::stdout().is_terminal(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Options of the subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where the processor runs
    #[arg(long, default_value = "thread")]
    pub mode: Mode,
    /// How long to run
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// Messages per second
    #[arg(long, default_value_t = 600.0, value_parser = rate)]
    pub rate: f64,
    /// End with one JSON object on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Watch it in the agent's live view, until q or the end of the time
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub view: View,
    /// Run the incident without the agent
    #[arg(long)]
    pub no_agent: bool,
    /// Use this agent instead of building it
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
    /// The Python interpreter (CPython 3.9 or later)
    #[arg(long, default_value = "python3")]
    pub python: PathBuf,
    /// Elements per list
    #[arg(long, default_value_t = 200_000)]
    pub elements: u32,
    /// Lists between two round trips to the database
    #[arg(long, default_value_t = 200)]
    pub holds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Thread,
            seconds: 30,
            rate: 600.0,
            json: false,
            view: View::Never,
            no_agent: false,
            agent: None,
            python: "python3".into(),
            elements: 200_000,
            holds: 200,
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=1e6).contains(&rate) => Ok(rate),
        _ => Err("a number of messages per second from 0.1 to 1000000".into()),
    }
}

/// Runs the demo with the agent in `binary` (`None`: without) and returns what there is to say at
/// the end. `show` gets one line a second.
pub fn run(
    options: &Options,
    binary: Option<&Path>,
    mut show: impl FnMut(&str),
) -> Result<Summary> {
    ensure!(
        !(options.json && options.view == View::Always),
        "--json and the live view both want standard output"
    );
    let stop = stop_flag()?;
    let sudo = binary.is_some() && !workspace::is_root();
    if sudo {
        workspace::warm_sudo()?;
    }
    let python = Interpreter::find(&options.python)?;
    let cpus = cpu::pair();
    if cpus.is_none() {
        show(
            "only one CPU may be used here: the two threads share it, and the runaway is not \
             dependable",
        );
    }

    let database = Database::start(Duration::from_millis(1))?;
    let venue = Venue::start(venue::VenueOptions {
        rate: options.rate,
        ..venue::VenueOptions::default()
    })?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let mut app = app::App::start(
        options,
        &python,
        venue.port(),
        database.port(),
        cpus,
        folder.path(),
    )?;
    app.wait_connected(&venue, Duration::from_secs(20), &stop)?;
    let mut agent = binary
        .map(|binary| Watcher::attach(options, binary, app.pid(), folder.path(), sudo))
        .transpose()?;
    venue.open_gate();

    let processor = match options.mode {
        Mode::Thread => "a thread of the same process",
        Mode::Process => "a process of its own",
    };
    let viewed = matches!(agent, Some(Watcher::View(_)));
    let hello = format!(
        "{} msg/s to pid {} ({}), the processor is {processor}; Ctrl-C ends it early",
        options.rate,
        app.pid(),
        python.version
    );
    if !viewed {
        show(&hello);
    }
    let mut live = live::Live::default();
    let start = Instant::now();
    let mut tick = start;
    while start.elapsed() < Duration::from_secs(options.seconds) && !stop.load(Ordering::Relaxed) {
        tick += Duration::from_secs(1);
        while Instant::now() < tick && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        app.check()?;
        match &mut agent {
            Some(Watcher::View(view)) => {
                // It was left.
                if view.ended().is_some() {
                    break;
                }
            }
            Some(Watcher::Lines(agent)) => {
                let messages = agent.messages_from(live.seen());
                show(&live.line(start.elapsed(), app.lag(), &venue, Some(&messages)));
                if let Some(status) = agent.ended() {
                    bail!("the agent ended early ({status})");
                }
            }
            None => show(&live.line(start.elapsed(), app.lag(), &venue, None)),
        }
    }

    let ran = start.elapsed();
    // First the agent, so that it still sees a living process; then the application, which writes
    // its log.
    if let Some(agent) = agent.as_mut().filter(|_| !sudo) {
        agent.interrupt();
        let deadline = Instant::now() + Duration::from_secs(10);
        while agent.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let (log, account) = app.stop()?;
    let outcome = agent
        .map(|agent| agent.finish(Duration::from_secs(20)))
        .transpose()?;
    let sent = venue.stop()?;
    drop(database);
    if let Some(AgentOutput { status, errors, .. }) = &outcome {
        ensure!(status.success(), "the agent ended with {status}");
        ensure!(
            errors.is_empty(),
            "the agent wrote lines that cannot be read: {}",
            errors[0]
        );
    }
    let agent = outcome
        .as_ref()
        .map(|outcome| (&outcome.messages[..], outcome.summary.as_ref()));
    let agent = match agent {
        Some((messages, summary)) => {
            Some((messages, summary.context("no summary from the agent")?))
        }
        None => None,
    };
    Summary::new(options, ran, sent.len(), (&log, account), agent)
}

/// The agent, either way.
enum Watcher {
    Lines(Agent),
    View(view::LiveView),
}

impl Watcher {
    fn attach(
        options: &Options,
        binary: &Path,
        pid: i32,
        folder: &Path,
        sudo: bool,
    ) -> Result<Self> {
        if options.view.opens(options) {
            view::LiveView::start(binary, pid, folder, sudo).map(Self::View)
        } else {
            attach(binary, pid, sudo).map(Self::Lines)
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Lines(agent) => agent.ended(),
            Self::View(view) => view.ended(),
        }
    }

    fn interrupt(&self) {
        match self {
            Self::Lines(agent) => agent.interrupt(),
            Self::View(view) => view.interrupt(),
        }
    }

    fn finish(self, limit: Duration) -> Result<AgentOutput> {
        match self {
            Self::Lines(agent) => agent.finish(limit),
            Self::View(mut view) => view.finish(limit),
        }
    }
}

/// Starts the agent on `pid` and waits until its probes are attached.
fn attach(binary: &Path, pid: i32, sudo: bool) -> Result<Agent> {
    let arguments = vec![
        "--pid".into(),
        pid.to_string(),
        "--json".into(),
        "messages".into(),
    ];
    let mut agent = Agent::start(&Launch {
        binary,
        arguments,
        sudo,
        echo: true,
    })?;
    agent.wait_watching(Duration::from_secs(30))?;
    Ok(agent)
}

/// A flag that the first Ctrl-C or SIGTERM sets; the second one ends the process at once.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}
