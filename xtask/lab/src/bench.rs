//! One venue and one victim, from the logon to the end of the stream.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::venue::{self, SentMessage, Venue};
use crate::victim::VictimLog;
use crate::victims_program;
use workspace::child::Guarded;

/// A victim that has logged on to its venue, whose gate is still closed.
#[derive(Debug)]
pub struct Bench {
    /// The venue.
    pub venue: Venue,
    /// The victim's process.
    pub victim: Guarded,
    folder: TempDir,
}

/// The truth about a run: the logs of the venue and the victim.
#[derive(Clone, Debug)]
pub struct BenchTruth {
    /// What the venue sent: ExecutionReports, or with [`Bench::conclude_all`] all messages.
    pub sent: Vec<SentMessage>,
    /// The victim's log, of the same messages.
    pub victim: VictimLog,
}

impl Bench {
    /// Starts a venue and a victim with these options.
    pub fn start(options: venue::VenueOptions, victim: &[&str]) -> Result<Self> {
        let venue = Venue::start(options)?;
        let port = venue.port();
        Self::at(venue, port, victim)
    }

    /// Starts a victim of a running venue that is reached through `port`.
    pub fn at(venue: Venue, port: u16, victim: &[&str]) -> Result<Self> {
        let mut command = victims_program::command("victim")?;
        Self::of(venue, |log| {
            command
                .args(["--venue", &port.to_string(), "--log"])
                .arg(log)
                .args(victim);
            command
        })
    }

    /// Starts a victim of another kind; `victim` returns its command, given the path of its log.
    pub fn of(venue: Venue, victim: impl FnOnce(&Path) -> Command) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = victim(&log_in(&folder));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut victim = Guarded::spawn(&mut command, "the victim")?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while !venue.logged_on() {
            ensure!(
                victim.ended().is_none(),
                "the victim ended before its logon"
            );
            ensure!(Instant::now() < deadline, "no logon");
            std::thread::sleep(Duration::from_millis(2));
        }
        // By then the victim is in its receive call again and waits for the first message.
        std::thread::sleep(Duration::from_millis(20));
        Ok(Self {
            venue,
            victim,
            folder,
        })
    }

    /// Returns the path of the victim's log.
    pub fn log(&self) -> PathBuf {
        log_in(&self.folder)
    }

    /// Opens the gate and waits at most `limit` until the victim has read everything and ended.
    pub fn finish(self, limit: Duration) -> Result<BenchTruth> {
        self.venue.open_gate();
        self.conclude(limit)
    }

    /// Waits at most `limit` until the victim has read everything and ended. The gate must be open.
    pub fn conclude(self, limit: Duration) -> Result<BenchTruth> {
        let BenchTruth {
            mut sent,
            mut victim,
        } = self.conclude_all(limit)?;
        sent.retain(|message| message.msg_type == "8");
        let reports: HashSet<u64> = sent.iter().map(|message| message.seq).collect();
        victim
            .records
            .retain(|record| reports.contains(&record.seq));
        Ok(BenchTruth { sent, victim })
    }

    /// Like [`Bench::conclude`], with administrative messages: what the venue sent and what the
    /// victim received, in the same order.
    pub fn conclude_all(mut self, limit: Duration) -> Result<BenchTruth> {
        let status = self.victim.wait(limit)?;
        ensure!(status.success(), "the victim failed: {status}");
        let sent = self.venue.stop()?;
        let victim = VictimLog::read(&log_in(&self.folder))?;
        Ok(BenchTruth { sent, victim })
    }
}

fn log_in(folder: &TempDir) -> PathBuf {
    folder.path().join("victim")
}

/// Starts a rival: a process that keeps one CPU busy at a nice value.
pub fn rival(cpu: usize, nice: i32) -> Result<Guarded> {
    Guarded::spawn(spin(cpu)?.arg(format!("--nice={nice}")), "a rival")
}

/// Starts a rival that keeps its CPU busy with futex(2) calls that wake nobody.
pub fn waker(cpu: usize) -> Result<Guarded> {
    Guarded::spawn(spin(cpu)?.arg("--wake"), "a waker")
}

fn spin(cpu: usize) -> Result<Command> {
    let mut command = victims_program::command("spin")?;
    command
        .args(["--cpu", &cpu.to_string()])
        .stdin(Stdio::null());
    Ok(command)
}
