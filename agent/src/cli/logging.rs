//! What is logged on standard error, and how.

use clap::{Args, ValueEnum};
use log::LevelFilter;

/// The flags of the log; every command takes them.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Logging {
    /// The least severe level that is logged on standard error.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: Level,
    /// How a line is written: as text, or as one JSON object with ts, level, target and message.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How severe a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// What ends a part of the agent.
    Error,
    /// What makes figures incomplete.
    Warn,
    /// What comes and goes: processes, endpoints, recordings.
    Info,
    /// What a developer of the agent wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// `tag52: message`
    Text,
    /// One JSON object a line.
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
