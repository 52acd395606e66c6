//! The victim's log file, one JSON object. `gil_victim.py` writes the same.

use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use super::marks::Mark;
use crate::sched::Schedstat;

/// One message. Instants are monotonic nanoseconds unless noted otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct VictimRecord {
    /// MsgSeqNum.
    pub seq: u64,
    /// The return of the receive call that completed the message.
    pub received_ns: i64,
    /// Right before the call of the per-message hand-off function.
    pub called_ns: i64,
    /// Time spent around the injected wait for this message.
    pub injected_ns: i64,
    /// Right before the next entry into a receive call or a wait.
    pub handed_off_ns: i64,
    /// The same instant, UTC.
    pub handed_off_utc_ns: i64,
}

/// The resource usage of the reading thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ThreadUsage {
    /// Its schedstat.
    pub schedstat: Schedstat,
    /// Its voluntary and involuntary context switches.
    pub switches: (i64, i64),
}

impl ThreadUsage {
    /// Reads the usage of the calling thread, whose id is `tid`.
    pub fn now(tid: i32) -> Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
        Ok(Self {
            schedstat: Schedstat::of(std::process::id().cast_signed(), tid)?,
            switches: (
                usage.voluntary_context_switches(),
                usage.involuntary_context_switches(),
            ),
        })
    }
}

/// The log of a victim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct VictimLog {
    /// One record per message.
    pub records: Vec<VictimRecord>,
    /// The marks of the reading thread, with `--marks`.
    pub marks: Vec<Mark>,
    /// The thread's usage at the end.
    pub usage: ThreadUsage,
}

impl VictimLog {
    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, serde_json::to_vec(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads the file back.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a victim's log", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::victim::MarkKind;

    #[test]
    fn a_log_reads_back_as_written() {
        let record = VictimRecord {
            seq: 7,
            received_ns: 1,
            called_ns: 2,
            injected_ns: 3,
            handed_off_ns: 4,
            handed_off_utc_ns: 5,
        };
        let schedstat = Schedstat {
            on_cpu_ns: 8,
            run_delay_ns: 9,
            slices: 10,
        };
        let mark = |kind| Mark {
            kind,
            at_ns: 13,
            cpu_ns: 14,
            delay_ns: 15,
            throttled_ns: 16,
        };
        let all = [
            MarkKind::Receive,
            MarkKind::Work,
            MarkKind::Gap,
            MarkKind::Lock,
            MarkKind::Block,
        ];
        let log = VictimLog {
            records: vec![record; 3],
            marks: all.map(mark).to_vec(),
            usage: ThreadUsage {
                schedstat,
                switches: (11, 12),
            },
        };
        let file = tempfile::NamedTempFile::new().expect("a file");
        log.write(file.path()).expect("written");
        assert_eq!(VictimLog::read(file.path()).expect("read"), log);
    }
}
