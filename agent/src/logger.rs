//! The log on standard error.

use std::io::{self, Write as _};

use jiff::Timestamp;
use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};
use serde::Serialize;

use crate::cli::{LogFormat, Logging};

/// Writes one line for each record, at once and whole.
struct StderrLogger {
    format: LogFormat,
    level: LevelFilter,
}

/// One line of `--log-format json`.
#[derive(Serialize)]
struct JsonLogLine<'a> {
    /// RFC 3339, UTC.
    ts: String,
    level: &'a str,
    target: &'a str,
    message: String,
}

/// Installs the log for the whole process.
pub(crate) fn install(logging: Logging) -> Result<(), SetLoggerError> {
    let level = logging.log_level.into();
    let format = logging.log_format;
    log::set_boxed_logger(Box::new(StderrLogger { format, level }))?;
    log::set_max_level(level);
    Ok(())
}

impl Log for StderrLogger {
    /// Libraries (HTTP, TLS) are heard only when they are asked for.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("tag52");
        let most = if ours {
            self.level
        } else {
            self.level.min(LevelFilter::Error)
        };
        metadata.level() <= most
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = match self.format {
            LogFormat::Text => text(record),
            LogFormat::Json => json(record),
        };
        // There is no other place to report a failure to.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// The levels that users meet need no name: what a line means is in its words.
fn text(record: &Record<'_>) -> String {
    match record.level() {
        Level::Error | Level::Warn | Level::Info => format!("tag52: {}\n", record.args()),
        level => format!(
            "tag52: {}: {}\n",
            level.as_str().to_lowercase(),
            record.args()
        ),
    }
}

fn json(record: &Record<'_>) -> String {
    let line = JsonLogLine {
        ts: Timestamp::now().to_string(),
        level: &record.level().as_str().to_lowercase(),
        target: record.target(),
        message: record.args().to_string(),
    };
    // A struct of strings can be serialized.
    let mut line = serde_json::to_string(&line).unwrap_or_default();
    line.push('\n');
    line
}
