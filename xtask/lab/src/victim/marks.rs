//! The victim's own account of its reading thread: a chain of instants with the kernel's counters
//! at each.
//!
//! Between two marks the thread was on a CPU for the difference of `cpu_ns`, runnable without one
//! for that of `delay_ns`, and asleep for the rest. All of it comes from the clocks and from /proc,
//! none of it from probes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cgroup::CpuStat;
use crate::clock;

/// What the thread was doing up to a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// In a receive call, or a wait for one: it may have slept for want of bytes.
    Receive,
    /// Computing: it did not sleep.
    Work,
    /// Without the CPU, found by two readings of the clock in a loop that does not sleep.
    Gap,
    /// Around a lock.
    Lock,
    /// Around anything else that sleeps.
    Block,
}

impl MarkKind {
    /// The letter in the log.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Receive => 'r',
            Self::Work => 'w',
            Self::Gap => 'g',
            Self::Lock => 'l',
            Self::Block => 'b',
        }
    }

    /// The one with this letter in the log.
    pub fn from_letter(letter: &str) -> Option<Self> {
        Some(match letter {
            "r" => Self::Receive,
            "w" => Self::Work,
            "g" => Self::Gap,
            "l" => Self::Lock,
            "b" => Self::Block,
            _ => return None,
        })
    }
}

/// The end of a stretch. Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What the thread did since the mark before.
    pub did: MarkKind,
    /// `CLOCK_MONOTONIC`.
    pub at_ns: i64,
    /// `CLOCK_THREAD_CPUTIME_ID`.
    pub cpu_ns: i64,
    /// `run_delay` of /proc/PID/task/TID/schedstat: runnable, not running, since the thread began.
    pub delay_ns: i64,
    /// Time the cgroup named with `--cpu-stat` was throttled.
    pub throttled_ns: i64,
}

/// The clock may go on by so much between two readings of it in a loop, nanoseconds.
const LOOP_NS: i64 = 30_000;

/// Takes marks of the calling thread, or none at all.
pub(crate) struct Marks {
    schedstat: Option<File>,
    cpu_stat: Option<File>,
    marks: Vec<Mark>,
}

impl Marks {
    /// Marks of the calling thread, if they are `wanted`; `cpu_stat` is that of the cgroup with the
    /// quota.
    pub(crate) fn of_this_thread(wanted: bool, cpu_stat: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| {
            File::open(path).with_context(|| format!("cannot open {}", path.display()))
        };
        let schedstat = Path::new("/proc/thread-self/schedstat");
        let mut marks = Self {
            schedstat: wanted.then(|| open(schedstat)).transpose()?,
            cpu_stat: cpu_stat.map(open).transpose()?,
            marks: Vec::new(),
        };
        marks.mark(MarkKind::Work)?;
        Ok(marks)
    }

    /// The thread has done this until now.
    pub(crate) fn mark(&mut self, did: MarkKind) -> Result<()> {
        let Some(schedstat) = &self.schedstat else {
            return Ok(());
        };
        loop {
            let (at_ns, cpu_ns) = (clock::monotonic_ns(), clock::thread_cpu_ns());
            let mark = Mark {
                did,
                at_ns,
                cpu_ns,
                delay_ns: run_delay(schedstat)?,
                throttled_ns: self.cpu_stat.as_ref().map_or(Ok(0), throttled)?,
            };
            // Preempted in between, the readings would not be of one instant.
            if clock::monotonic_ns() - at_ns < LOOP_NS {
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
            // From the newest mark on, so that nothing between it and the loop goes unseen.
            if let Some(mark) = self.marks.last()
                && mark.at_ns > last
            {
                (last, last_cpu) = (mark.at_ns, mark.cpu_ns);
            }
            let (now, cpu) = (clock::monotonic_ns(), clock::thread_cpu_ns());
            if now - last > LOOP_NS
                && let Some(before) = self.marks.last()
            {
                // Up to the gap the delays are as they were: they only grow in gaps.
                let before = Mark {
                    did: MarkKind::Work,
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
    delay.context("schedstat reads oddly")
}

fn throttled(cpu_stat: &File) -> Result<i64> {
    let mut buffer = [0; 1024];
    CpuStat::parse(read(cpu_stat, &mut buffer)?).map(|stat| stat.throttled_ns.cast_signed())
}
