//! The commands that watch live processes: `run`, `top`, `record`.

use std::path::PathBuf;

use clap::Args;
#[cfg(feature = "fault-injection")]
use tag52::engine::PanicIn;
use tag52::{
    engine::{Config, Display, EndEvent, RecordingConfig},
    outputs::OutputFormat,
};

#[cfg(feature = "fault-injection")]
use super::values::panic_in;
use super::{
    values::{ExitEvent, Json, format, size},
    watch::Watch,
};

/// The arguments of `tag52 run`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunCommand {
    /// What to watch.
    #[command(flatten)]
    pub(crate) watch: Watch,
    /// Write JSON lines instead of text.
    #[arg(long, value_name = "WHAT")]
    pub(crate) json: Option<Json>,
    /// Print no lines per interval, only the summary: for runs that serve metrics.
    #[arg(long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// End as soon as this happens, with exit code 3.
    #[arg(long, value_name = "EVENT")]
    pub(crate) exit_on: Option<ExitEvent>,
    /// Log diagnostic lines of the probes. They never contain message content.
    #[arg(long)]
    pub(crate) probe_log: bool,
}

/// The arguments of `tag52 top`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TopCommand {
    /// What to watch.
    #[command(flatten)]
    pub(crate) watch: Watch,
    /// End with the last process, instead of showing its last figures until q.
    #[arg(long)]
    pub(crate) no_stay: bool,
    /// For the live tests: a panic some seconds after the view was opened, in the thread that draws
    /// or in the one that watches.
    #[cfg(feature = "fault-injection")]
    #[arg(long, value_name = "WHERE", hide = true, value_parser = panic_in)]
    pub(crate) simulate_panic: Option<PanicIn>,
}

/// The arguments of `tag52 record`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RecordCommand {
    /// What to watch, and how it is shown.
    #[command(flatten)]
    pub(crate) run: RunCommand,
    /// The file to record to. An older recording of that name is replaced; full segments are
    /// renamed to FILE.1, FILE.2 and so on.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The largest size of all segments together; the oldest one is removed to make room: 64MiB,
    /// 2GiB.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    pub(crate) max_size: u64,
    /// Show the live view of `top` instead of lines.
    #[arg(long, conflicts_with_all = ["json", "probe_log"])]
    pub(crate) top: bool,
    /// With --top: end with the last process, instead of showing its last figures until q.
    #[arg(long, requires = "top")]
    pub(crate) no_stay: bool,
}

impl RunCommand {
    /// The configuration of this run.
    pub(crate) fn config(self) -> Config {
        let display = Display::Lines(self.format());
        let ends_on = self.ends_on();
        let mut config = self.watch.config(display, None, self.probe_log);
        config.ends_on = ends_on;
        config
    }

    const fn ends_on(&self) -> EndEvent {
        match self.exit_on {
            None => EndEvent::LastProcess,
            Some(ExitEvent::Stalled) => EndEvent::Stall,
        }
    }

    const fn format(&self) -> OutputFormat {
        if self.quiet {
            return OutputFormat::SummaryOnly;
        }
        format(self.json)
    }
}

impl TopCommand {
    /// The configuration of this run.
    pub(crate) fn config(self) -> Config {
        let display = Display::LiveView {
            stay: !self.no_stay,
        };
        let config = self.watch.config(display, None, false);
        #[cfg(feature = "fault-injection")]
        let config = {
            let mut config = config;
            config.faults.panic = self.simulate_panic;
            config
        };
        config
    }
}

impl RecordCommand {
    /// The configuration of this run.
    pub(crate) fn config(self) -> Config {
        let display = if self.top {
            Display::LiveView {
                stay: !self.no_stay,
            }
        } else {
            Display::Lines(self.run.format())
        };
        let recording = RecordingConfig {
            path: self.output,
            max_size_bytes: self.max_size,
        };
        let probe_log = self.run.probe_log;
        let ends_on = self.run.ends_on();
        let mut config = self.run.watch.config(display, Some(recording), probe_log);
        config.ends_on = ends_on;
        config
    }
}
