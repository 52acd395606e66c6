//! Standard output.

use std::io::{self, BufWriter, Write};

use super::{
    json::JsonLine,
    text::{TextStyle, interval_lines, list_counts, loss_line, summary},
};
use crate::{
    domain::{Message, Moment},
    model::{Interval, Model, Summary},
};

#[cfg(test)]
mod tests;

/// Intervals between two log lines that no session is open.
const INTERVALS_PER_WAITING_LINE: u64 = 10;

/// Bytes of the buffer of standard output: hundreds of lines per system call.
const BUFFER_BYTES: usize = 1 << 17;

/// What goes to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// A line per session and interval, and a summary.
    #[default]
    Human,
    /// JSON: a line per message, and a summary.
    JsonMessages,
    /// JSON: a line per session and interval (and one of type `agent` when events were lost), and
    /// a summary.
    JsonIntervals,
    /// Nothing but a summary, for people: something else shows the rest.
    SummaryOnly,
}

/// Why nothing more can be written to standard output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader of the output has gone (a broken pipe): a reason to end, not a failure.
    #[error("the reader of the output has gone")]
    Closed,
    /// Any other failure, such as a full disk.
    #[error("cannot write the output: {0}")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Failed(e)
        }
    }
}

/// Writes what a run publishes to standard output; what is no figure is logged.
pub(crate) struct OutputWriter {
    format: OutputFormat,
    style: TextStyle,
    target: String,
    out: BufWriter<Box<dyn Write + Send>>,
    line: JsonLine,
    /// Intervals in a row in which no session was open.
    idle_intervals: u64,
}

impl std::fmt::Debug for OutputWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutputWriter")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl OutputWriter {
    /// A writer to standard output. `target` is what is watched, in words: `pid 4711`.
    pub(crate) fn stdout(format: OutputFormat, target: impl Into<String>) -> Self {
        Self::new(
            format,
            TextStyle::of_stdout(),
            target,
            Box::new(io::stdout()),
        )
    }

    fn new(
        format: OutputFormat,
        style: TextStyle,
        target: impl Into<String>,
        out: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            format,
            style,
            target: target.into(),
            out: BufWriter::with_capacity(BUFFER_BYTES, out),
            line: JsonLine::default(),
            idle_intervals: 0,
        }
    }

    /// Writes the line of a message, in the one format that has such lines.
    ///
    /// # Errors
    /// [`OutputError`] when the buffer was full and could not be written.
    pub(crate) fn message(&mut self, message: &Message) -> Result<(), OutputError> {
        if self.format == OutputFormat::JsonMessages {
            self.out.write_all(self.line.message(message))?;
        }
        Ok(())
    }

    /// Writes the lines of an interval and flushes. While no session is open, that is logged in the
    /// first and then in every tenth interval. The kinds of losses, and anomalies, which change no
    /// figure, are logged at debug level; the summary has their sums.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub(crate) fn interval(&mut self, interval: &Interval) -> Result<(), OutputError> {
        match self.format {
            OutputFormat::Human => {
                let text = interval_lines(interval, self.style);
                self.out.write_all(text.as_bytes())?;
            }
            OutputFormat::JsonMessages => {
                if let Some(line) = loss_line(interval) {
                    log::warn!("{line}");
                }
            }
            OutputFormat::JsonIntervals => {
                for session in &interval.sessions {
                    self.out.write_all(self.line.interval(interval, session))?;
                }
                if let Some(line) = self.line.agent(interval) {
                    self.out.write_all(line)?;
                }
            }
            OutputFormat::SummaryOnly => return Ok(()),
        }
        for (what, counts) in [
            ("events lost", &interval.lost),
            ("anomalies", &interval.anomalies),
        ] {
            if let Some(counts) = list_counts(counts.iter().copied()) {
                log::debug!("{what} in the last interval: {counts}");
            }
        }
        self.out.flush()?;
        self.log_waiting(interval);
        Ok(())
    }

    /// Writes what came since the last interval, if anything did, so that all intervals add up to
    /// the summary, and returns the summary, to be written last.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub(crate) fn rest(&mut self, model: &mut Model, now: Moment) -> Result<Summary, OutputError> {
        let rest = model.take_interval(now);
        if rest.sessions.iter().any(|s| !s.figures.is_empty()) {
            self.interval(&rest)?;
        }
        Ok(model.summary(now))
    }

    /// Writes the summary and flushes: the last line in JSON.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub(crate) fn finish(&mut self, run: &Summary) -> Result<(), OutputError> {
        match self.format {
            OutputFormat::Human | OutputFormat::SummaryOnly => {
                let text = summary(run, &self.target, self.style);
                self.out.write_all(text.as_bytes())?;
            }
            OutputFormat::JsonMessages | OutputFormat::JsonIntervals => {
                self.out.write_all(self.line.summary(run))?;
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn log_waiting(&mut self, interval: &Interval) {
        if !interval.sessions.is_empty() {
            self.idle_intervals = 0;
            return;
        }
        if self
            .idle_intervals
            .is_multiple_of(INTERVALS_PER_WAITING_LINE)
        {
            let state = if interval.sessions_observed == 0 {
                "no FIX session has been read yet, waiting for the first one"
            } else {
                "no FIX session is open, waiting for the next one"
            };
            log::info!("{state} ({})", self.target);
        }
        self.idle_intervals += 1;
    }
}
