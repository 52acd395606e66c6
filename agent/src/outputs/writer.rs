//! Standard output, and notes beside it on standard error.

use std::io::{self, BufWriter, Write};

use super::{
    json,
    text::{self, TextStyle},
};
use crate::{
    domain::{Message, Moment},
    model::{Interval, Model, Summary},
};

/// How many intervals pass between two lines that say the agent still waits.
const WAITING_EVERY: u64 = 10;
/// Large enough for hundreds of lines per system call.
const BUFFER: usize = 1 << 17;

/// What goes to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// A line per session and interval, and a summary.
    #[default]
    Human,
    /// JSON: a line per message, and a summary.
    JsonMessages,
    /// JSON: a line per session and interval (and one of type `agent` when events were lost), and a
    /// summary.
    JsonIntervals,
    /// Nothing but a summary, for humans: something else shows the rest.
    SummaryOnly,
}

/// Why nothing more can be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader of the output has gone (a broken pipe): a reason to end, not a failure.
    #[error("the reader of the output has gone")]
    Closed,
    /// Anything else, such as a full disk.
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

/// The sink of a run: standard output, and notes beside it on standard error.
pub struct OutputWriter {
    format: OutputFormat,
    style: TextStyle,
    watched: String,
    out: BufWriter<Box<dyn Write + Send>>,
    notes: Box<dyn Write + Send>,
    line: json::Line,
    /// Intervals without a session in a row.
    waited: u64,
}

impl std::fmt::Debug for OutputWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutputWriter")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl OutputWriter {
    /// To standard output and standard error. `watched` is how notes call the target: `pid 4711`.
    #[must_use]
    pub fn stdout(format: OutputFormat, watched: impl Into<String>) -> Self {
        Self::new(
            format,
            TextStyle::of_stdout(),
            watched,
            Box::new(io::stdout()),
            Box::new(io::stderr()),
        )
    }

    /// To any two sinks.
    #[must_use]
    pub fn new(
        format: OutputFormat,
        style: TextStyle,
        watched: impl Into<String>,
        out: Box<dyn Write + Send>,
        notes: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            format,
            style,
            watched: watched.into(),
            out: BufWriter::with_capacity(BUFFER, out),
            notes,
            line: json::Line::default(),
            waited: 0,
        }
    }

    /// Tells of one message, when the format is one that does.
    ///
    /// # Errors
    /// [`OutputError`] when the buffer was full and could not be written.
    pub fn message(&mut self, message: &Message) -> Result<(), OutputError> {
        if self.format == OutputFormat::JsonMessages {
            self.out.write_all(self.line.message(message))?;
        }
        Ok(())
    }

    /// Tells of an interval and flushes. While there is no session it says so on standard error,
    /// once and then every tenth time.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written; notes on standard error are
    /// dropped when they cannot be written.
    pub fn interval(&mut self, interval: &Interval) -> Result<(), OutputError> {
        match self.format {
            OutputFormat::Human => {
                let text = text::interval(interval, self.style);
                self.out.write_all(text.as_bytes())?;
            }
            OutputFormat::JsonMessages => {
                if let Some(losses) = text::losses(interval) {
                    let _ = writeln!(self.notes, "{losses}");
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
        self.out.flush()?;
        self.say_waiting(interval);
        Ok(())
    }

    /// Tells of what came since the last interval, if anything did, so that all intervals add up to
    /// the summary, which is returned, to be told at the end.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub fn rest(&mut self, model: &mut Model, now: Moment) -> Result<Summary, OutputError> {
        let rest = model.take_interval(now);
        if rest.sessions.iter().any(|s| !s.figures.is_empty()) {
            self.interval(&rest)?;
        }
        Ok(model.summary(now))
    }

    /// Tells of the whole run and flushes: the last line in JSON.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        match self.format {
            OutputFormat::Human | OutputFormat::SummaryOnly => {
                let text = text::summary(summary, &self.watched, self.style);
                self.out.write_all(text.as_bytes())?;
            }
            OutputFormat::JsonMessages | OutputFormat::JsonIntervals => {
                self.out.write_all(self.line.summary(summary))?;
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn say_waiting(&mut self, interval: &Interval) {
        if !interval.sessions.is_empty() {
            self.waited = 0;
            return;
        }
        if self.waited.is_multiple_of(WAITING_EVERY) {
            let what = if interval.sessions_observed == 0 {
                "no FIX session read yet, waiting for one of"
            } else {
                "no FIX session is open, waiting for the next of"
            };
            let _ = writeln!(self.notes, "tag52: {what} {}", self.watched);
        }
        self.waited += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        domain::{
            Part, Stage,
            fixtures::{message, session},
        },
        model::Model,
    };

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn outputs(format: OutputFormat) -> (OutputWriter, Shared, Shared) {
        let (out, notes) = (Shared::default(), Shared::default());
        let outputs = OutputWriter::new(
            format,
            TextStyle::Plain,
            "pid 411",
            Box::new(out.clone()),
            Box::new(notes.clone()),
        );
        (outputs, out, notes)
    }

    fn run(format: OutputFormat) -> (Vec<String>, String) {
        let (mut outputs, out, notes) = outputs(format);
        let mut model = Model::at_zero();
        for seq in 0..3 {
            let m = message(&session(0), seq, &[(Stage::Queued, Part::LockWait, 5)]);
            model.observe(&m);
            outputs.message(&m).expect("writes");
        }
        model.health_mut().lose("ring_full", 1);
        outputs.interval(&model.interval_now()).expect("writes");
        outputs.finish(&model.summary_now()).expect("writes");
        let lines = out.text().lines().map(str::to_owned).collect();
        (lines, notes.text())
    }

    #[test]
    fn each_format_tells_its_own() {
        let types = |lines: &[String]| {
            lines
                .iter()
                .map(|line| {
                    let v: serde_json::Value = serde_json::from_str(line).expect("JSON");
                    v["type"].as_str().expect("a type").to_owned()
                })
                .collect::<Vec<_>>()
        };
        let (lines, notes) = run(OutputFormat::JsonMessages);
        assert_eq!(types(&lines), ["message", "message", "message", "summary"]);
        assert!(notes.starts_with("tag52: lost events: ring-full 1;"));
        let (lines, notes) = run(OutputFormat::JsonIntervals);
        assert_eq!(types(&lines), ["interval", "agent", "summary"]);
        assert_eq!(notes, "");
        let (lines, notes) = run(OutputFormat::SummaryOnly);
        assert_eq!(lines[1].split(':').next(), Some("tag52 summary"));
        assert_eq!(notes, "");
        let (lines, notes) = run(OutputFormat::Human);
        assert!(lines[0].starts_with("VENUE>DROP :5002 411/412"));
        assert!(lines[1].starts_with("tag52: lost events: ring-full 1;"));
        assert!(lines.iter().any(|l| l.starts_with("tag52 summary: ")));
        assert_eq!(notes, "");
    }

    #[test]
    fn waiting_is_said_once_and_then_every_ten_intervals() {
        let (mut outputs, out, notes) = outputs(OutputFormat::Human);
        let mut model = Model::at_zero();
        for _ in 0..20 {
            outputs.interval(&model.interval_now()).expect("writes");
        }
        assert_eq!(notes.text().lines().count(), 2);
        assert!(notes.text().contains("pid 411"));
        assert_eq!(out.text(), "");
        model.observe(&message(&session(0), 1, &[]));
        outputs.interval(&model.interval_now()).expect("writes");
        assert_eq!(notes.text().lines().count(), 2);
    }

    #[test]
    fn a_broken_pipe_is_told_apart() {
        let mut outputs = OutputWriter::new(
            OutputFormat::JsonMessages,
            TextStyle::Plain,
            "pid 411",
            Box::new(Gone),
            Box::new(Shared::default()),
        );
        let m = message(&session(0), 1, &[]);
        outputs.message(&m).expect("buffered");
        let mut model = Model::at_zero();
        let interval = outputs.interval(&model.interval_now());
        assert!(matches!(interval, Err(OutputError::Closed)));
        let finish = outputs.finish(&model.summary_now());
        assert!(matches!(finish, Err(OutputError::Closed)));
    }
}
