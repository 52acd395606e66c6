//! Marks of the victim's reading thread: a chain of instants with the kernel's counters at each.
//!
//! Between two marks the thread was on a CPU for the difference of `cpu_ns`, runnable without one
//! for that of `delay_ns`, and asleep for the rest. All of it comes from the clocks and from /proc,
//! none of it from probes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::cgroup::CpuStat;
use crate::clock;

/// What the thread did before a mark. Its letter in the log is also that of `gil_marks.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum MarkKind {
    /// A receive call or a wait for one: it may have slept for lack of bytes.
    #[serde(rename = "r")]
    Receive,
    /// Computing, without sleep.
    #[serde(rename = "w")]
    Work,
    /// Without the CPU: the clock jumped between two readings in a loop that does not sleep.
    #[serde(rename = "g")]
    Gap,
    /// A wait for a lock.
    #[serde(rename = "l")]
    Lock,
    /// Any other call that sleeps.
    #[serde(rename = "b")]
    Block,
}

/// An instant of the thread, with cumulative counters. Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Mark {
    /// What the thread did since the previous mark.
    pub kind: MarkKind,
    /// `CLOCK_MONOTONIC`.
    pub at_ns: i64,
    /// `CLOCK_THREAD_CPUTIME_ID`.
    pub cpu_ns: i64,
    /// `run_delay` of /proc/PID/task/TID/schedstat: runnable, not running, since the thread began.
    pub delay_ns: i64,
    /// Time the cgroup named with `--cpu-stat` was throttled.
    pub throttled_ns: i64,
}

/// The longest time between two clock readings in a loop without losing the CPU, nanoseconds.
const MAX_LOOP_NS: i64 = 30_000;

/// Takes marks of the calling thread, if enabled.
pub(crate) struct Marks {
    schedstat: Option<File>,
    cpu_stat: Option<File>,
    marks: Vec<Mark>,
}

impl Marks {
    /// Starts with a first mark of the calling thread if `enabled`; `cpu_stat` is that of the
    /// cgroup with the quota.
    pub(crate) fn of_this_thread(enabled: bool, cpu_stat: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| {
            File::open(path).with_context(|| format!("cannot open {}", path.display()))
        };
        let schedstat = Path::new("/proc/thread-self/schedstat");
        let mut marks = Self {
            schedstat: enabled.then(|| open(schedstat)).transpose()?,
            cpu_stat: cpu_stat.map(open).transpose()?,
            marks: Vec::new(),
        };
        marks.mark(MarkKind::Work)?;
        Ok(marks)
    }

    /// Takes a mark: the thread has done this until now.
    pub(crate) fn mark(&mut self, kind: MarkKind) -> Result<()> {
        let Some(schedstat) = &self.schedstat else {
            return Ok(());
        };
        loop {
            let (at_ns, cpu_ns) = (clock::monotonic_ns(), clock::thread_cpu_ns());
            let mark = Mark {
                kind,
                at_ns,
                cpu_ns,
                delay_ns: run_delay(schedstat)?,
                throttled_ns: self.cpu_stat.as_ref().map_or(Ok(0), throttled)?,
            };
            // If the thread was preempted in between, the readings belong to different instants.
            if clock::monotonic_ns() - at_ns < MAX_LOOP_NS {
                self.marks.push(mark);
                return Ok(());
            }
        }
    }

    /// Uses `ns` of CPU time; marks the stretches in which the thread did not have the CPU.
    pub(crate) fn work(&mut self, ns: i64) -> Result<()> {
        if ns == 0 {
            return Ok(());
        }
        let begin = clock::thread_cpu_ns();
        let (mut last, mut last_cpu) = (clock::monotonic_ns(), begin);
        self.mark(MarkKind::Work)?;
        while last_cpu - begin < ns {
            // From the newest mark on, so that no gap between it and the loop is missed.
            if let Some(mark) = self.marks.last()
                && mark.at_ns > last
            {
                (last, last_cpu) = (mark.at_ns, mark.cpu_ns);
            }
            let (now, cpu) = (clock::monotonic_ns(), clock::thread_cpu_ns());
            if now - last > MAX_LOOP_NS
                && let Some(before) = self.marks.last()
            {
                // Delays only grow in gaps: until this one they are those of the last mark.
                let before = Mark {
                    kind: MarkKind::Work,
                    at_ns: last,
                    cpu_ns: last_cpu,
                    ..*before
                };
                self.marks.push(before);
                self.mark(MarkKind::Gap)?;
            }
            (last, last_cpu) = (now, cpu);
        }
        Ok(())
    }

    pub(crate) fn into_vec(self) -> Vec<Mark> {
        self.marks
    }
}

fn read<'a>(file: &File, buffer: &'a mut [u8]) -> Result<&'a str> {
    let length = file.read_at(buffer, 0)?;
    Ok(std::str::from_utf8(&buffer[..length])?)
}

fn run_delay(schedstat: &File) -> Result<i64> {
    let mut buffer = [0; 96];
    let mut words = read(schedstat, &mut buffer)?.split(' ');
    let delay = words.nth(1).and_then(|word| word.parse().ok());
    delay.context("schedstat cannot be parsed")
}

fn throttled(cpu_stat: &File) -> Result<i64> {
    let mut buffer = [0; 1024];
    CpuStat::parse(read(cpu_stat, &mut buffer)?).map(|stat| stat.throttled_ns.cast_signed())
}
