//! The kernel's schedstat of a thread: the truth for on-CPU and runnable time.

use anyhow::{Context as _, Result};

/// `/proc/PID/task/TID/schedstat`. Nanoseconds since the thread began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Schedstat {
    /// Time on a CPU.
    pub on_cpu_ns: u64,
    /// Time runnable but not running, throttling by a quota included.
    pub run_delay_ns: u64,
    /// Time slices run.
    pub slices: u64,
}

impl Schedstat {
    /// Reads the counters of one thread.
    pub fn of(pid: i32, tid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/task/{tid}/schedstat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Self::parse(&text).with_context(|| format!("{path} cannot be parsed"))
    }

    /// Parses the text of the file.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(|word| word.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self {
            on_cpu_ns: next()?,
            run_delay_ns: next()?,
            slices: next()?,
        })
    }

    /// Returns the difference to `earlier` counters.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            on_cpu_ns: self.on_cpu_ns.saturating_sub(earlier.on_cpu_ns),
            run_delay_ns: self.run_delay_ns.saturating_sub(earlier.run_delay_ns),
            slices: self.slices.saturating_sub(earlier.slices),
        }
    }
}
