//! Each format, on memory.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
};

use log::{LevelFilter, Log, Metadata, Record};

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

thread_local! {
    /// The log of this thread: its test.
    static LOG: RefCell<String> = const { RefCell::new(String::new()) };
}

struct ThreadLog;

impl Log for ThreadLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LOG.with_borrow_mut(|log| log.push_str(&format!("{}\n", record.args())));
    }

    fn flush(&self) {}
}

/// What was logged so far.
fn logged() -> String {
    LOG.with_borrow(Clone::clone)
}

fn outputs(format: OutputFormat) -> (OutputWriter, Shared) {
    // Another test may have installed it.
    let _ = log::set_logger(&ThreadLog);
    log::set_max_level(LevelFilter::Debug);
    let out = Shared::default();
    let outputs = OutputWriter::new(format, TextStyle::Plain, "pid 411", Box::new(out.clone()));
    (outputs, out)
}

fn run(format: OutputFormat) -> (Vec<String>, String) {
    let (mut outputs, out) = outputs(format);
    LOG.take();
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
    (lines, logged())
}

#[test]
fn each_format_writes_its_lines() {
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
    assert_eq!(
        notes,
        "1 event lost: affected time counts as unknown\n\
         events lost in the last interval: ring-full 1\n"
    );
    let (lines, notes) = run(OutputFormat::JsonIntervals);
    assert_eq!(types(&lines), ["interval", "agent", "summary"]);
    assert_eq!(notes, "events lost in the last interval: ring-full 1\n");
    let (lines, notes) = run(OutputFormat::SummaryOnly);
    assert_eq!(lines[1].split(':').next(), Some("tag52 summary"));
    assert_eq!(notes, "");
    let (lines, notes) = run(OutputFormat::Human);
    assert!(lines[0].starts_with("VENUE>DROP :5002 411/412"));
    assert!(lines[1].starts_with("tag52: 1 event lost:"));
    assert!(lines.iter().any(|l| l.starts_with("tag52 summary: ")));
    assert_eq!(notes, "events lost in the last interval: ring-full 1\n");
}

#[test]
fn waiting_is_noted_once_and_then_every_ten_intervals() {
    let (mut outputs, out) = outputs(OutputFormat::Human);
    let mut model = Model::at_zero();
    for _ in 0..20 {
        outputs.interval(&model.interval_now()).expect("writes");
    }
    assert_eq!(logged().lines().count(), 2);
    assert!(logged().contains("pid 411"));
    assert_eq!(out.text(), "");
    model.observe(&message(&session(0), 1, &[]));
    outputs.interval(&model.interval_now()).expect("writes");
    assert_eq!(logged().lines().count(), 2);
}

#[test]
fn a_broken_pipe_is_an_error_of_its_own() {
    let mut outputs = OutputWriter::new(
        OutputFormat::JsonMessages,
        TextStyle::Plain,
        "pid 411",
        Box::new(Gone),
    );
    let m = message(&session(0), 1, &[]);
    outputs.message(&m).expect("buffered");
    let mut model = Model::at_zero();
    let interval = outputs.interval(&model.interval_now());
    assert!(matches!(interval, Err(OutputError::Closed)));
    let finish = outputs.finish(&model.summary_now());
    assert!(matches!(finish, Err(OutputError::Closed)));
}

#[test]
fn anomalies_are_only_logged() {
    let (mut outputs, out) = outputs(OutputFormat::Human);
    LOG.take();
    let mut model = Model::at_zero();
    model.observe(&message(&session(0), 1, &[]));
    model.health_mut().anomaly("switch_rebuilt", 1);
    outputs.interval(&model.interval_now()).expect("writes");
    assert_eq!(out.text().lines().count(), 1);
    assert_eq!(
        logged(),
        "anomalies in the last interval: switch-rebuilt 1\n"
    );
}
