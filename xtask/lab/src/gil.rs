//! The victim whose cause of waiting is the GIL: a CPython process with an ingest thread and a
//! rival (`xtask/lab/gil_victim.py`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::cpu;
use crate::cpython::Interpreter;
use crate::gil_waits::{self, GilHold, GilTruth, GilWait};
use crate::sched::Schedstat;
use crate::venue::{self, Venue};
use crate::victim::{Mark, MarkKind};

/// How the rival thread holds the GIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// In bytecode: it hands the GIL over when asked, after the switch interval.
    Bytecode,
    /// In C calls that do not yield.
    Calls {
        /// The length of a call, microseconds.
        hold_us: u32,
        /// The sleep between two calls, microseconds.
        gap_us: u32,
    },
}

/// The interpreter and the compiled library that take the marks of such processes.
#[derive(Debug)]
pub struct GilSetup {
    /// The interpreter.
    pub python: Interpreter,
    folder: TempDir,
}

impl GilSetup {
    /// Finds the interpreter and compiles `gil_marks.c`.
    pub fn prepare(python: &Path) -> Result<Self> {
        let set = Self {
            python: Interpreter::find(python)?,
            folder: tempfile::tempdir()?,
        };
        let output = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(set.marks())
            .arg(source("gil_marks.c"))
            .output()
            .context(
                "cc is missing; on Debian or Ubuntu install it with: apt-get install -y gcc",
            )?;
        ensure!(
            output.status.success(),
            "cc failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(set)
    }

    /// Starts a victim and its venue. `switch_us` is sys.setswitchinterval in microseconds. With
    /// two CPUs each of its threads is pinned to one.
    pub fn bench(
        &self,
        options: venue::VenueOptions,
        rival: Rival,
        switch_us: u32,
    ) -> Result<Bench> {
        let venue = Venue::start(options)?;
        let port = venue.port().to_string();
        Bench::of(venue, |log| {
            let mut command = self.python.script(&source("gil_victim.py"));
            let mut option = |name: &str, value: &str| {
                command.arg(name).arg(value);
            };
            option("--venue", &port);
            match rival {
                Rival::Bytecode => option("--rival", "bytecode"),
                Rival::Calls { hold_us, gap_us } => {
                    option("--rival", "calls");
                    option("--hold-us", &hold_us.to_string());
                    option("--gap-us", &gap_us.to_string());
                }
            }
            option("--switch-us", &switch_us.to_string());
            if let Some((ingest, rival)) = cpu::pair() {
                option("--cpu-ingest", &ingest.to_string());
                option("--cpu-rival", &rival.to_string());
            }
            command.arg("--log").arg(log);
            command.arg("--marks").arg(self.marks());
            command.arg("--holds").arg(self.folder.path().join("holds"));
            command
        })
    }

    /// Returns the rival's calls in the last run.
    pub fn holds(&self) -> Result<Vec<GilHold>> {
        let text = std::fs::read_to_string(self.folder.path().join("holds"))
            .context("the victim left no log of its rival")?;
        gil_waits::parse(&text)
    }

    /// Classifies the waits of the last run by the victim's `marks` and the rival's log of calls.
    pub fn truth(&self, marks: &[Mark], rival: Rival, switch_us: u32) -> Result<GilTruth> {
        let account = self.folder.path().join("holds.schedstat");
        let account = std::fs::read_to_string(account)
            .context("the victim left no schedstat of its rival")?;
        let calls = match rival {
            Rival::Bytecode => Vec::new(),
            Rival::Calls { .. } => self.holds()?,
        };
        let waits: Vec<GilWait> = waits(marks).collect();
        let holder =
            Schedstat::parse(&account).context("the rival's schedstat cannot be parsed")?;
        Ok(GilTruth::classify(
            &waits,
            &calls,
            holder,
            i64::from(switch_us) * 1_000,
        ))
    }

    fn marks(&self) -> PathBuf {
        self.folder.path().join("gil_marks.so")
    }
}

/// Splits the waits for the GIL in `marks` at CPython's timeouts: it waits in a loop with a timeout
/// of the switch interval, `interval_ns`; in each pass the thread sleeps first and then runs.
pub fn split_at_timeouts(marks: &[Mark], interval_ns: i64) -> Vec<Mark> {
    let mut split: Vec<Mark> = Vec::with_capacity(marks.len());
    for mark in marks {
        if let Some(from) = split.last().copied()
            && mark.kind == MarkKind::Lock
        {
            split.extend(timeouts(&from, mark, interval_ns));
        }
        split.push(*mark);
    }
    split
}

/// Returns the ends of all passes but the last between two marks. The time awake is the same in
/// each.
fn timeouts(from: &Mark, to: &Mark, interval_ns: i64) -> impl Iterator<Item = Mark> {
    let (cpu, delay) = (to.cpu_ns - from.cpu_ns, to.delay_ns - from.delay_ns);
    let asleep = to.at_ns - from.at_ns - cpu - delay;
    let timeouts = asleep / interval_ns;
    let from = *from;
    (1..=timeouts).map(move |turn| {
        let part = |of: i64| of * turn / (timeouts + 1);
        Mark {
            kind: MarkKind::Lock,
            at_ns: from.at_ns + turn * interval_ns + part(cpu) + part(delay),
            cpu_ns: from.cpu_ns + part(cpu),
            delay_ns: from.delay_ns + part(delay),
            throttled_ns: from.throttled_ns,
        }
    })
}

/// Returns the waits for the GIL by the waiting thread's marks.
fn waits(marks: &[Mark]) -> impl Iterator<Item = GilWait> {
    let locks = marks
        .windows(2)
        .filter(|pair| pair[1].kind == MarkKind::Lock);
    locks.map(|pair| {
        let (from, to) = (pair[0], pair[1]);
        let awake = to.cpu_ns - from.cpu_ns + to.delay_ns - from.delay_ns;
        GilWait {
            from_ns: from.at_ns,
            ns: to.at_ns - from.at_ns - awake,
        }
    })
}

fn source(name: &str) -> PathBuf {
    workspace::root().join("xtask/lab").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(kind: MarkKind, at_ns: i64, cpu_ns: i64, delay_ns: i64) -> Mark {
        Mark {
            kind,
            at_ns,
            cpu_ns,
            delay_ns,
            throttled_ns: 0,
        }
    }

    #[test]
    fn a_wait_is_split_at_its_timeouts() {
        // 12 asleep in turns of 5, 5 and 2; each runs for 2 and stands in the run queue for 1.
        let marks = [
            mark(MarkKind::Receive, 100, 10, 0),
            mark(MarkKind::Lock, 121, 16, 3),
            mark(MarkKind::Work, 130, 25, 3),
        ];
        let turns = [
            marks[0],
            mark(MarkKind::Lock, 108, 12, 1),
            mark(MarkKind::Lock, 116, 14, 2),
            marks[1],
            marks[2],
        ];
        assert_eq!(split_at_timeouts(&marks, 5), turns);
        let wait = GilWait {
            from_ns: 100,
            ns: 12,
        };
        assert_eq!(waits(&marks).collect::<Vec<_>>(), [wait]);
        // Shorter than the interval, and other things than locks, stay as they are.
        assert_eq!(split_at_timeouts(&marks, 13), marks);
        let asleep = [
            mark(MarkKind::Work, 0, 0, 0),
            mark(MarkKind::Receive, 100, 0, 0),
        ];
        assert_eq!(split_at_timeouts(&asleep, 5), asleep);
        assert_eq!(split_at_timeouts(&[], 5), []);
    }
}
