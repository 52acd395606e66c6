//! The client on QuickFIX, as a child process, and what it says about itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;

use super::Engine;
use crate::clock;
use crate::venue::Venue;
use workspace::child::Guarded;

/// Where the processor that holds the GIL runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// As a thread of the same process: it holds the GIL the engine needs.
    Thread,
    /// As a process of its own.
    Process,
}

/// How the client is set up.
#[derive(Clone, Copy, Debug)]
pub struct ClientSetup {
    /// Where the processor runs.
    pub processor: Processor,
    /// Elements per list it turns into JSON.
    pub elements: u32,
    /// MaxLatency in seconds; `None`: the engine does not look at ages.
    pub max_latency: Option<u32>,
    /// CPUs of the engine's thread and of the processor.
    pub cpus: Option<(usize, usize)>,
}

/// One message as the application got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveredMessage {
    /// MsgSeqNum.
    pub seq: u64,
    /// Tag 52, UTC nanoseconds.
    pub sent_ns: i64,
    /// `fromApp` began to run: the GIL was got. Monotonic clock, nanoseconds.
    pub begun_ns: i64,
    /// Right before `fromApp` returned, UTC nanoseconds.
    pub utc_ns: i64,
    /// The same on the monotonic clock.
    pub done_ns: i64,
}

impl DeliveredMessage {
    /// The application's own figure for the age.
    pub fn age_ns(&self) -> i64 {
        self.utc_ns - self.sent_ns
    }

    /// How old the message was when `fromApp` began to run.
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
    /// Starts it and waits for its logon at `venue`.
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

    /// The process the engine runs in.
    pub fn pid(&self) -> i32 {
        self.engine.pid()
    }

    /// Its exit status if it has ended by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.engine.ended()
    }

    /// Ends the processor, lets the engine work off what has come, and reads the record.
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
        bail!("odd line in the QuickFIX client's log: {text}")
    };
    Ok(DeliveredMessage {
        seq: seq.parse()?,
        sent_ns: clock::parse_utc(stamp).with_context(|| format!("odd tag 52: {stamp}"))?,
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
