//! One experiment: a venue, a victim that waits for a known reason, and (for the live tests) the agent.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xtask::lab::child::Guarded;
use xtask::lab::venue::{self, Sent, Venue};
use xtask::lab::victim::VictimLog;

/// xtask's own binary, which has the victims as hidden subcommands.
pub(crate) const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// Experiments run one at a time: they measure waiting, and two of them would wait for each other.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A victim that has logged on to its venue, whose gate is still closed.
pub(crate) struct Bench {
    /// The sender.
    pub(crate) venue: Venue,
    /// The receiver.
    pub(crate) victim: Guarded,
    folder: TempDir,
}

/// What the venue and the victim wrote down.
pub(crate) struct Truth {
    /// The venue's ExecutionReports.
    pub(crate) sent: Vec<Sent>,
    /// The victim's log, administrative messages left out.
    pub(crate) victim: VictimLog,
}

impl Bench {
    /// `count` messages at `rate` to a victim with these options.
    pub(crate) fn start(rate: f64, count: u64, victim: &[&str]) -> Self {
        let options = venue::Options {
            rate,
            count: Some(count),
            close_at_end: true,
            ..venue::Options::default()
        };
        Self::with(options, victim)
    }

    /// The same with full control over the venue.
    pub(crate) fn with(options: venue::Options, victim: &[&str]) -> Self {
        let venue = Venue::start(options).expect("a venue");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(XTASK);
        command
            .args(["victim", "--venue", &venue.port().to_string(), "--log"])
            .arg(log_in(&folder));
        command
            .args(victim)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut victim = Guarded::spawn(&mut command, "the victim").expect("a victim");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !venue.logged_on() {
            assert!(
                victim.ended().is_none(),
                "the victim ended before its logon"
            );
            assert!(Instant::now() < deadline, "no logon");
            std::thread::sleep(Duration::from_millis(2));
        }
        // The victim is back in its receive call, waiting for the first message.
        std::thread::sleep(Duration::from_millis(20));
        Self {
            venue,
            victim,
            folder,
        }
    }

    /// Opens the gate and waits until the victim has read everything and is gone.
    pub(crate) fn finish(mut self) -> Truth {
        self.venue.open_gate();
        let status = self
            .victim
            .wait(Duration::from_secs(30))
            .expect("the victim ends with the stream");
        assert!(status.success(), "the victim failed: {status}");
        let mut sent = self.venue.stop().expect("the venue's log");
        sent.retain(|message| message.msg_type == "8");
        let mut victim = VictimLog::read(&log_in(&self.folder)).expect("the victim's log");
        let reports: std::collections::HashSet<u64> =
            sent.iter().map(|message| message.seq).collect();
        victim
            .records
            .retain(|record| reports.contains(&record.seq));
        Truth { sent, victim }
    }
}

fn log_in(folder: &TempDir) -> std::path::PathBuf {
    Path::new(folder.path()).join("victim")
}

/// Starts a rival on a CPU.
pub(crate) fn rival(cpu: usize) -> Guarded {
    let mut command = Command::new(XTASK);
    command
        .args(["spin", "--cpu", &cpu.to_string()])
        .stdin(Stdio::null());
    Guarded::spawn(&mut command, "a rival").expect("a rival")
}

/// The middle one; 0 for none.
pub(crate) fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
