//! The application: the CPython ingest process and, in mode `process`, its processor.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;

use super::{DemoMode, DemoOptions};
use lab::clock;
use lab::cpython::Interpreter;
use lab::gil_waits::{self, GilHold, GilTruth, GilWait};
use lab::sched::Schedstat;
use lab::venue::Venue;
use workspace::child::Guarded;

/// The application's newest report of its lag.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    /// Messages handed off so far.
    pub(super) messages: u64,
    /// Age of the newest message at its hand-off, nanoseconds.
    pub(super) lag_ns: i64,
}

/// One message in the application's log, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppHandOff {
    /// MsgSeqNum.
    pub seq: u64,
    /// Tag 52, UTC.
    pub sent_ns: i64,
    /// Right before the next recv call, UTC.
    pub utc_ns: i64,
    /// The same instant on the monotonic clock.
    pub monotonic_ns: i64,
}

impl AppHandOff {
    /// Returns the application's own lag: the age at hand-off.
    pub(crate) fn lag_ns(&self) -> i64 {
        self.utc_ns - self.sent_ns
    }
}

/// The application's log.
pub type AppLog = Vec<AppHandOff>;

/// The application's own figures of its ingest thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct AppRecord {
    /// Its waits for the GIL after the parse of a message.
    pub gil: GilTruth,
    /// Its schedstat.
    pub schedstat: Schedstat,
}

/// CPython's default switch interval.
const SWITCH_INTERVAL_NS: i64 = 5_000_000;

impl AppRecord {
    fn read(log: &Path) -> Result<Self> {
        let read = |extension: &str| {
            let path = log.with_extension(extension);
            std::fs::read_to_string(path).context("the ingest process left no log of its threads")
        };
        let account = |extension: &str| {
            Schedstat::parse(&read(extension)?).context("a schedstat cannot be parsed")
        };
        let waits = gil_waits::parse(&read("waits")?)?;
        let wait = |&GilHold { from_ns, to_ns }: &GilHold| GilWait {
            from_ns,
            ns: to_ns - from_ns,
        };
        let waits: Vec<GilWait> = waits.iter().map(wait).collect();
        let calls = gil_waits::parse(&read("calls")?)?;
        Ok(Self {
            gil: GilTruth::classify(&waits, &calls, account("processor")?, SWITCH_INTERVAL_NS),
            schedstat: account("schedstat")?,
        })
    }
}

/// Reads the application's log file.
pub(super) fn parse_log(text: &str) -> Result<AppLog> {
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [seq, stamp, utc, monotonic] = fields[..] else {
                bail!("unexpected line in the application's log: {line}")
            };
            Ok(AppHandOff {
                seq: seq.parse()?,
                sent_ns: clock::parse_utc(stamp)
                    .with_context(|| format!("tag 52 cannot be parsed: {stamp}"))?,
                utc_ns: utc.parse()?,
                monotonic_ns: monotonic.parse()?,
            })
        })
        .collect()
}

/// Ports, CPUs and folder of the application.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppEnvironment<'a> {
    /// The venue's port.
    pub(super) venue: u16,
    /// The database's port.
    pub(super) database: u16,
    /// The CPUs of the ingest thread and of the processor; `None`: any.
    pub(super) cpus: Option<(usize, usize)>,
    /// The folder for its logs.
    pub(super) folder: &'a Path,
}

/// The running application; killed when dropped.
#[derive(Debug)]
pub(super) struct DemoApp {
    ingest: Guarded,
    processor: Option<Guarded>,
    log: PathBuf,
    lag: Arc<Mutex<Lag>>,
    connected: Arc<AtomicBool>,
}

impl DemoApp {
    /// Starts the ingest process and, in mode `process`, the processor.
    pub(super) fn start(
        options: &DemoOptions,
        python: &Interpreter,
        place: &AppEnvironment<'_>,
    ) -> Result<Self> {
        let log = place.folder.join("handed-off");
        let cpus = place
            .cpus
            .map(|(ingest, processor)| (ingest.to_string(), processor.to_string()));
        let load = [
            "--holds".to_owned(),
            options.holds.to_string(),
            "--elements".into(),
            options.elements.to_string(),
        ];
        let script = |name: &str| {
            let mut command = python.script(&workspace::root().join("xtask/demo").join(name));
            command
                .args(["--database", &place.database.to_string()])
                .args(&load)
                .stdin(Stdio::null());
            // With --json our standard output belongs to the result.
            command.stdout(Stdio::from(std::io::stderr()));
            command
        };

        let mut command = script("ingest.py");
        command
            .args(["--venue", &place.venue.to_string(), "--log"])
            .arg(&log);
        command.args([
            "--mode",
            if options.mode == DemoMode::Thread {
                "thread"
            } else {
                "process"
            },
        ]);
        if let Some((ingest, processor)) = &cpus {
            command.args(["--cpu-ingest", ingest, "--cpu-processor", processor]);
        }
        let mut ingest = Guarded::spawn(command.stdout(Stdio::piped()), "the ingest process")?;

        let processor = if options.mode == DemoMode::Process {
            let mut command = script("processor.py");
            if let Some((_, processor)) = &cpus {
                command.args(["--cpu", processor]);
            }
            Some(Guarded::spawn(&mut command, "the processor")?)
        } else {
            None
        };

        let lag = Arc::new(Mutex::new(Lag::default()));
        let connected = Arc::new(AtomicBool::new(false));
        let stdout = ingest
            .child()
            .stdout
            .take()
            .context("the ingest process's standard output")?;
        follow(stdout, Arc::clone(&lag), Arc::clone(&connected))?;
        Ok(Self {
            ingest,
            processor,
            log,
            lag,
            connected,
        })
    }

    /// Returns the pid of the ingest process.
    pub(super) fn pid(&self) -> i32 {
        self.ingest.pid()
    }

    /// Returns its newest report, which is up to about a second old.
    pub(super) fn lag(&self) -> Lag {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the logon.
    pub(super) fn wait_connected(
        &mut self,
        venue: &Venue,
        limit: Duration,
        stop: &AtomicBool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !(self.connected.load(Ordering::Acquire) && venue.logged_on()) {
            self.check()?;
            ensure!(!stop.load(Ordering::Relaxed), "interrupted");
            ensure!(
                Instant::now() < deadline,
                "the ingest process did not log on within {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Fails when a part of the application has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.ingest.ended() {
            bail!("the ingest process ended early ({status})");
        }
        if let Some(status) = self.processor.as_mut().and_then(Guarded::ended) {
            bail!("the processor ended early ({status})");
        }
        Ok(())
    }

    /// Ends the application and reads its logs.
    pub(super) fn stop(mut self) -> Result<(AppLog, AppRecord)> {
        self.ingest.signal(Signal::SIGTERM);
        drop(self.processor.take());
        self.ingest.wait(Duration::from_secs(20))?;
        let log = std::fs::read_to_string(&self.log).context("the ingest process left no log")?;
        Ok((parse_log(&log)?, AppRecord::read(&self.log)?))
    }
}

/// Reads the ingest process's standard output in a thread.
fn follow(
    stdout: ChildStdout,
    lag: Arc<Mutex<Lag>>,
    connected: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    let body = move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["connected"] => connected.store(true, Ordering::Release),
                ["lag", _, lag_ns, messages] => {
                    if let (Ok(lag_ns), Ok(messages)) = (lag_ns.parse(), messages.parse()) {
                        *lag.lock().unwrap_or_else(PoisonError::into_inner) =
                            Lag { messages, lag_ns };
                    }
                }
                _ => eprintln!("ingest: {line}"),
            }
        }
    };
    std::thread::Builder::new()
        .name("app-output".into())
        .spawn(body)
}
