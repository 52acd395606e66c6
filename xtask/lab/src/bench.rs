//! One venue and one victim, from the logon to the end of the stream.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::venue::{self, SentMessage, Venue};
use crate::victim::VictimLog;
use crate::victims;
use workspace::child::Guarded;

/// A victim that has logged on to its venue, whose gate is still closed.
#[derive(Debug)]
pub struct Bench {
    /// The sender.
    pub venue: Venue,
    /// The receiver.
    pub victim: Guarded,
    folder: TempDir,
}

/// What the venue and the victim wrote down.
#[derive(Clone, Debug)]
pub struct BenchTruth {
    /// The venue's ExecutionReports ([`Bench::conclude_all`]: everything it sent).
    pub sent: Vec<SentMessage>,
    /// The victim's log, administrative messages left out.
    pub victim: VictimLog,
}

impl Bench {
    /// Starts both; `victim` are the options of the receiver.
    pub fn start(options: venue::VenueOptions, victim: &[&str]) -> Result<Self> {
        let venue = Venue::start(options)?;
        let port = venue.port();
        Self::at(venue, port, victim)
    }

    /// The same with a venue that is there already and is reached through `port`.
    pub fn at(venue: Venue, port: u16, victim: &[&str]) -> Result<Self> {
        let mut command = victims::command("victim")?;
        Self::of(venue, |log| {
            command
                .args(["--venue", &port.to_string(), "--log"])
                .arg(log)
                .args(victim);
            command
        })
    }

    /// The same with a victim of another kind; `victim` makes the command, from where its log
    /// belongs.
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
        // The victim is back in its receive call, waiting for the first message.
        std::thread::sleep(Duration::from_millis(20));
        Ok(Self {
            venue,
            victim,
            folder,
        })
    }

    /// Where the victim's log will be.
    pub fn log(&self) -> PathBuf {
        log_in(&self.folder)
    }

    /// Opens the gate and waits for at most `limit` until the victim has read everything and is
    /// gone.
    pub fn finish(self, limit: Duration) -> Result<BenchTruth> {
        self.venue.open_gate();
        self.conclude(limit)
    }

    /// Waits for at most `limit` until the victim has read everything and is gone; the gate is open
    /// already.
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

    /// The same, administrative messages kept: what the venue sent and what the victim received, in
    /// the same order.
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

/// Starts a rival that burns one CPU, at a nice value.
pub fn rival(cpu: usize, nice: i32) -> Result<Guarded> {
    Guarded::spawn(spin(cpu)?.arg(format!("--nice={nice}")), "a rival")
}

/// Starts one that burns it with futex(2) calls that wake nobody.
pub fn waker(cpu: usize) -> Result<Guarded> {
    Guarded::spawn(spin(cpu)?.arg("--wake"), "a waker")
}

fn spin(cpu: usize) -> Result<Command> {
    let mut command = victims::command("spin")?;
    command
        .args(["--cpu", &cpu.to_string()])
        .stdin(Stdio::null());
    Ok(command)
}
