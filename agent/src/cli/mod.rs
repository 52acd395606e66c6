//! The command line. The library knows nothing of it: each command becomes a plain configuration.

mod live;
mod logging;
mod recordings;
#[cfg(test)]
mod tests;
mod values;
mod watch;

use clap::{Parser, Subcommand, error::ErrorKind};

pub(crate) use live::{RecordCommand, RunCommand, TopCommand};
pub(crate) use logging::{LogFormat, Logging};
pub(crate) use recordings::{ExportCommand, ReplayCommand};
use watch::Watch;

/// The longest line of help, columns; on a narrower terminal lines are as wide as the terminal.
const MAX_HELP_COLUMNS: usize = 100;

/// The command line of `tag52`; the package's description is its first line of help.
#[derive(Clone, Debug, Parser)]
#[command(name = "tag52", version, about, max_term_width = MAX_HELP_COLUMNS)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What is logged on standard error, and how.
    #[command(flatten)]
    pub(crate) logging: Logging,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch processes and split the age of every FIX message they read.
    Run(RunCommand),
    /// Watch processes in a live view on the terminal; the summary is printed at the end.
    Top(TopCommand),
    /// Watch processes and record the measurements, without message bodies, for `replay`.
    Record(RecordCommand),
    /// Play a recording again; needs no root.
    Replay(ReplayCommand),
    /// Convert a recording to a trace for the Perfetto UI; needs no root.
    Export(ExportCommand),
}

impl Cli {
    /// Reads the command line of this process; where it is wrong, says so and exits.
    pub(crate) fn read() -> Self {
        let cli = Self::parse();
        let watch = match &cli.command {
            Command::Run(run) => Some(&run.watch),
            Command::Top(top) => Some(&top.watch),
            Command::Record(record) => Some(&record.run.watch),
            Command::Replay(_) | Command::Export(_) => None,
        };
        if let Some(text) = watch.and_then(Watch::contradiction) {
            let text = format!("{text}\n\nFor more information, try '--help'.\n");
            clap::Error::raw(ErrorKind::ArgumentConflict, text).exit();
        }
        cli
    }
}
