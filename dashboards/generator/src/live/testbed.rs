//! The sessions that Prometheus observes, each with one known problem, and one agent on all of
//! them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use lab::agent::{AgentLaunch, AgentOutput, AgentProcess};
use lab::bench::Bench;
use lab::cgroup::Cgroup;
use lab::venue::{self, Extra, ExtraKind};
use workspace::child::Guarded;

/// SenderCompID of the demo, whose reader waits for the GIL.
pub(super) const STARVED: &str = "VENUE";
/// A session whose reader waits for a mutex, whatever else the machine does.
pub(super) const LOCKED: &str = "XSWX";
/// A session that keeps up.
const HEALTHY: &str = "XLON";
/// A session whose cgroup's quota is too small.
pub(super) const THROTTLED: &str = "XPAR";
/// A session whose reader writes to a slow process.
pub(super) const BLOCKED: &str = "XETR";
/// A session whose venue's clock is ahead.
const SKEWED: &str = "XAMS";

/// Senders of the sessions whose ages are all above zero.
pub(super) const SENDERS: [&str; 5] = [STARVED, LOCKED, HEALTHY, THROTTLED, BLOCKED];

/// The running sessions and the agent. All of them end when it is dropped.
pub(super) struct Testbed {
    agent: AgentProcess,
    /// `ADDRESS:PORT` of its metrics.
    pub(super) metrics: String,
    _demo: Guarded,
    _benches: Vec<Bench>,
    _cgroup: Cgroup,
    _folder: TempDir,
}

impl Testbed {
    /// Starts the sessions and the agent, for at least `seconds`.
    pub(super) fn start(agent: &Path, seconds: u64) -> Result<Self> {
        let cgroup = Cgroup::with_quota(Duration::from_millis(10), Duration::from_millis(100))?;
        let benches = vec![
            bench(HEALTHY, 120.0, 0, &["--work-us", "60"])?,
            // Ten per cent of a CPU, of which it needs twenty.
            bench(THROTTLED, 200.0, 0, &["--work-us", "900"])?,
            // The sink takes 218 a second.
            bench(
                BLOCKED,
                230.0,
                0,
                &["--inject", "sink", "--hold-us", "4500"],
            )?,
            // The mutex is free for one message every 5 ms.
            bench(
                LOCKED,
                600.0,
                0,
                &[
                    "--inject",
                    "mutex",
                    "--hold-us",
                    "5000",
                    "--gap-us",
                    "300",
                    "--work-us",
                    "400",
                    // All messages of a read are handed off at once, each less old than the one
                    // before.
                    "--read-size",
                    "1024",
                ],
            )?,
            bench(SKEWED, 60.0, 25_000_000, &["--work-us", "100"])?,
        ];
        cgroup.add(benches[1].victim.pid())?;
        let folder = tempfile::tempdir()?;
        // The time it takes to start the others, and to end.
        let (demo, pid) = demo::background::start(seconds + 60, folder.path())?;
        let mut pids = vec![pid];
        pids.extend(benches.iter().map(|bench| bench.victim.pid().to_string()));
        let words = [
            "--pid",
            &pids.join(","),
            "--listen",
            "127.0.0.1:0",
            "--json",
            "intervals",
            "--max-latency",
            "120s",
        ];
        let launch = AgentLaunch::new(agent, words.map(str::to_owned).to_vec());
        let agent = AgentProcess::attach(&launch, Duration::from_secs(30))?;
        let metrics = metrics_address(&agent)?;
        for bench in &benches {
            bench.venue.open_gate();
        }
        Ok(Self {
            agent,
            metrics,
            _demo: demo,
            _benches: benches,
            _cgroup: cgroup,
            _folder: folder,
        })
    }

    /// Fails when the agent has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        let ended = self.agent.ended();
        ensure!(
            ended.is_none(),
            "the agent ended early: {}",
            self.agent.notes().join(" | ")
        );
        Ok(())
    }

    /// Ends the agent and returns its output.
    pub(super) fn finish(self) -> Result<AgentOutput> {
        let Self { agent, .. } = self;
        agent.interrupt();
        agent.finish(Duration::from_secs(20))
    }
}

fn bench(sender: &str, rate: f64, ahead_ns: i64, victim: &[&str]) -> Result<Bench> {
    let resend = ExtraKind::Resend {
        count: 20,
        older: Duration::from_millis(30),
        bare: 10,
    };
    let extras = (1..=20).map(|n| Extra {
        after: n * 500,
        kind: resend,
    });
    let options = venue::VenueOptions {
        rate,
        sender: sender.to_owned(),
        clock_offset_ns: ahead_ns,
        extras: if sender == HEALTHY {
            extras.collect()
        } else {
            Vec::new()
        },
        ..venue::VenueOptions::default()
    };
    Bench::start(options, victim).with_context(|| format!("the session of {sender}"))
}

/// Returns the address of the metrics from the agent's log.
fn metrics_address(agent: &AgentProcess) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let notes = agent.notes();
        let address = notes.iter().find_map(|note| {
            let (_, after) = note.split_once("metrics on http://")?;
            Some(after.split('/').next()?.to_owned())
        });
        if let Some(address) = address {
            return Ok(address);
        }
        ensure!(
            Instant::now() < deadline,
            "the agent did not log the address of its metrics: {}",
            notes.join(" | ")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
