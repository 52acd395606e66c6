//! The QuickFIX client as a child process, and its log.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;

use super::Engine;
use crate::clock;
use crate::venue::Venue;
use workspace::child::Guarded;

/// Where the processor, which holds the GIL, runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// As a thread of the same process: it holds the GIL that the engine needs.
    Thread,
    /// As a process of its own.
    Process,
}

/// The setup of the client.
#[derive(Clone, Copy, Debug)]
pub struct ClientSetup {
    /// Where the processor runs.
    pub processor: Processor,
    /// Elements per list that the processor converts to JSON.
    pub elements: u32,
    /// MaxLatency in seconds; `None`: the engine does not check ages.
    pub max_latency: Option<u32>,
    /// CPUs of the engine's thread and of the processor.
    pub cpus: Option<(usize, usize)>,
}

/// One message as the application received it. Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveredMessage {
    /// MsgSeqNum.
    pub seq: u64,
    /// Tag 52, UTC.
    pub sent_ns: i64,
    /// When `fromApp` began to run, with the GIL; monotonic.
    pub begun_ns: i64,
    /// Right before `fromApp` returned, UTC.
    pub utc_ns: i64,
    /// Right before `fromApp` returned, monotonic.
    pub done_ns: i64,
}

impl DeliveredMessage {
    /// The age at the end of `fromApp`.
    pub fn age_ns(&self) -> i64 {
        self.utc_ns - self.sent_ns
    }

    /// The age at the beginning of `fromApp`.
    pub fn age_at_begin_ns(&self) -> i64 {
        self.age_ns() - (self.done_ns - self.begun_ns)
    }
}

/// The running client; killed when dropped.
#[derive(Debug)]
pub struct EngineClient {
    engine: Guarded,
    processor: Option<Guarded>,
    log: PathBuf,
}

impl EngineClient {
    /// Starts the client and waits for its logon at `venue`. `database` is a port on 127.0.0.1.
    pub fn start(
        engine: &Engine,
        setup: ClientSetup,
        venue: &Venue,
        database: u16,
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join("delivered");
        let scripts = workspace::root().join("xtask");
        let script = |name: &str| {
            let mut command = Command::new(&engine.python.path);
            command.arg("-B").arg(scripts.join(name));
            command
                .args(["--database", &database.to_string()])
                .args(["--elements", &setup.elements.to_string()])
                .env("PYTHONPATH", &engine.packages)
                .stdin(Stdio::null())
                // Standard output may belong to a result.
                .stdout(Stdio::null());
            command
        };

        let mut command = script("lab/quickfix_app.py");
        command
            .args(["--venue", &venue.port().to_string(), "--log"])
            .arg(&log);
        if setup.processor == Processor::Thread {
            command.arg("--processor");
        }
        if let Some(seconds) = setup.max_latency {
            command.args(["--max-latency", &seconds.to_string()]);
        }
        if let Some((ingest, processor)) = setup.cpus {
            command.args(["--cpu-ingest", &ingest.to_string()]);
            command.args(["--cpu-processor", &processor.to_string()]);
        }
        let mut app = Self {
            engine: Guarded::spawn(&mut command, "the QuickFIX client")?,
            processor: None,
            log,
        };
        if setup.processor == Processor::Process {
            let mut command = script("demo/processor.py");
            if let Some((_, processor)) = setup.cpus {
                command.args(["--cpu", &processor.to_string()]);
            }
            app.processor = Some(Guarded::spawn(&mut command, "the processor")?);
        }

        let deadline = Instant::now() + Duration::from_secs(20);
        while !venue.logged_on() {
            if let Some(status) = app.engine.ended() {
                bail!("the QuickFIX client ended before its logon ({status})");
            }
            ensure!(
                Instant::now() < deadline,
                "the QuickFIX client did not log on"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(app)
    }

    /// Returns the pid of the engine's process.
    pub fn pid(&self) -> i32 {
        self.engine.pid()
    }

    /// Returns its exit status if it has ended by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.engine.ended()
    }

    /// Ends the processor, lets the engine work off its backlog, and reads the log.
    pub fn stop(mut self) -> Result<Vec<DeliveredMessage>> {
        self.engine.signal(Signal::SIGTERM);
        drop(self.processor.take());
        let status = self.engine.wait(Duration::from_secs(30))?;
        ensure!(status.success(), "the QuickFIX client failed ({status})");
        let text = std::fs::read_to_string(&self.log).context("the QuickFIX client left no log")?;
        text.lines().map(line).collect()
    }
}

fn line(text: &str) -> Result<DeliveredMessage> {
    let fields: Vec<&str> = text.split(' ').collect();
    let [seq, stamp, begun, utc, done] = fields[..] else {
        bail!("unexpected line in the QuickFIX client's log: {text}")
    };
    Ok(DeliveredMessage {
        seq: seq.parse()?,
        sent_ns: clock::parse_utc(stamp)
            .with_context(|| format!("tag 52 cannot be parsed: {stamp}"))?,
        begun_ns: begun.parse()?,
        utc_ns: utc.parse()?,
        done_ns: done.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_an_age_at_two_moments() {
        let delivered =
            line("17 20260301-04:59:59.123456 1000 1772341200000000000 5000").expect("a line");
        assert_eq!(delivered.seq, 17);
        assert_eq!(delivered.age_ns(), 876_544_000);
        assert_eq!(delivered.age_at_begin_ns(), 876_540_000);
        assert!(line("17 20260301-04:59:59.123456 1000").is_err());
    }
}
