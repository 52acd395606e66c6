//! What is logged on standard error, and how.

use clap::{Args, ValueEnum};
use log::LevelFilter;

/// The flags of the log; every command takes them.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Logging {
    /// Log this level and more severe ones on standard error.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: Level,
    /// The format of log lines.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How severe a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Failures that end the agent or a part of it.
    Error,
    /// What makes figures incomplete.
    Warn,
    /// What comes and goes: processes, endpoints, recordings.
    Info,
    /// Details for developers of the agent, such as anomalies.
    Debug,
    /// Everything.
    Trace,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line such as `tag52: message`.
    Text,
    /// One JSON object per line, with ts, level, target and message.
    Json,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}
