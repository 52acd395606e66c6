//! An agent whose CPU time is read while it works.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use lab::agent::LoggedAgent;
use lab::sched::Schedstat;
use nix::sys::signal::Signal;
use workspace::child::Guarded;

/// Idle time after which the agent has no work left. It is longer than the 50 ms after which the
/// agent reads its ring buffer.
const QUIET: Duration = Duration::from_millis(120);
/// Interval between readings of its CPU time. It is busy if it ran for half of that; reading an
/// empty ring buffer takes less.
const STEP: Duration = Duration::from_micros(500);

/// The name of the recording in the agent's folder.
const RECORDING: &str = "recording";

/// A running agent, and a process that does nothing, so that the agent outlives its victim.
pub(super) struct MeasuredAgent {
    agent: LoggedAgent,
    _idle: Guarded,
}

/// CPU time, nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuTime {
    /// CPU time of the ingest thread.
    pub(super) ingest_ns: u64,
    /// CPU time of all threads.
    pub(super) all_ns: u64,
}

/// The totals of the agent's summary.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgentTotals {
    /// Messages with an age.
    pub(super) messages: u64,
    /// Events lost, of all kinds.
    pub(super) lost: u64,
    /// Size of the recording, bytes; 0 without one.
    pub(super) recorded: u64,
}

impl MeasuredAgent {
    /// Starts `tag52 run`, or `tag52 record`, on `pid` and waits until its probes are attached.
    pub(super) fn start(binary: &Path, pid: i32, recording: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut idle = Command::new("sleep");
        let idle = Guarded::spawn(idle.arg("600"), "a process that sleeps")?;
        let mut command = Command::new(binary);
        if recording {
            command
                .args(["record", "-o"])
                .arg(folder.path().join(RECORDING));
        } else {
            command.arg("run");
        }
        command
            .args(["--pid", &format!("{pid},{}", idle.pid())])
            .args(["--json", "intervals"]);
        let mut agent = LoggedAgent::start(folder, &mut command)?;
        agent.wait_attached(Duration::from_secs(30))?;
        Ok(Self { agent, _idle: idle })
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        self.agent.process.signal(signal);
    }

    fn threads(&self) -> Result<Vec<i32>> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.agent.process.pid()))?;
        let tid = |task: std::io::Result<fs::DirEntry>| {
            Ok(task?.file_name().to_string_lossy().parse()?)
        };
        tasks.map(tid).collect()
    }

    /// Returns its CPU time so far.
    pub(super) fn cpu(&self) -> Result<CpuTime> {
        let pid = self.agent.process.pid();
        let used: HashMap<i32, u64> = self
            .threads()?
            .into_iter()
            .map(|tid| Ok((tid, Schedstat::of(pid, tid)?.on_cpu_ns)))
            .collect::<Result<_>>()?;
        Ok(CpuTime {
            // Its first thread.
            ingest_ns: used.get(&pid).copied().unwrap_or(0),
            all_ns: used.values().sum(),
        })
    }

    /// Waits until its first thread is idle, and returns since when.
    pub(super) fn wait_idle(&self, limit: Duration) -> Result<Instant> {
        let pid = self.agent.process.pid();
        let used_ns = || Schedstat::of(pid, pid).map(|stat| stat.on_cpu_ns);
        let deadline = Instant::now() + limit;
        let (mut at, mut used) = (Instant::now(), used_ns()?);
        let mut busy = at;
        while at < busy + QUIET {
            ensure!(at < deadline, "the agent is never idle");
            std::thread::sleep(STEP);
            let (now, now_used) = (Instant::now(), used_ns()?);
            let ran = Duration::from_nanos(now_used - used);
            if ran > (now - at) / 2 {
                // The last such step is only worked through in part.
                busy = at + ran.min(now - at);
            }
            (at, used) = (now, now_used);
        }
        Ok(busy)
    }

    /// Ends it and returns the totals of its summary.
    pub(super) fn finish(mut self) -> Result<AgentTotals> {
        self.agent.process.signal(Signal::SIGINT);
        let status = self.agent.process.wait(Duration::from_secs(20))?;
        ensure!(
            status.success(),
            "the agent failed: {}",
            self.agent.stderr()?
        );
        let text = self.agent.stdout()?;
        let summary = text.lines().find(|line| line.contains(r#""summary""#));
        let summary: serde_json::Value =
            serde_json::from_str(summary.context("no summary from the agent")?)?;
        let numbers = |kinds: &serde_json::Value| -> u64 {
            let kinds = kinds.as_object().into_iter().flatten();
            kinds.filter_map(|(_, count)| count.as_u64()).sum()
        };
        let messages = summary["sessions"].as_array().into_iter().flatten();
        let messages = messages.filter_map(|session| session["messages"].as_u64());
        Ok(AgentTotals {
            messages: messages.sum(),
            lost: numbers(&summary["health"]["lost"]),
            recorded: fs::metadata(self.agent.path(RECORDING)).map_or(0, |file| file.len()),
        })
    }
}
