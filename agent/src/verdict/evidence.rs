//! The input of the rules.

use std::time::Duration;

use super::{flow::Flow, thresholds::DOMINANT_SHARE, waited::WaitedTime};
use crate::{
    domain::Part,
    stats::{BlameRow, Figures, WaitingNow},
    what_if::{ReaderTime, Scenario, WhatIf},
};

/// The figures that the verdict on one session rests on, of an interval or since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// Length of the interval, or the time since the start.
    pub length: Duration,
    /// The figures of its messages.
    pub figures: Figures,
    /// Rates, backlog and growth of the age.
    pub flow: Flow,
    /// How the reader spent its time between the arrival of a message and its hand-off.
    pub reader_time: ReaderTime,
    /// The charges, the largest first within each part; empty when not known.
    pub blame: Vec<BlameRow>,
    /// The ages with one cause of waiting removed; `None` when not known.
    pub what_if: Option<WhatIf>,
    /// CPU use of its process; `None` when not known.
    pub cpu: Option<CpuUse>,
    /// What the reader did while something waited for it.
    pub waited: WaitedTime,
    /// The session is stalled: the figures and charges are those of what waits.
    pub stall: Option<WaitingNow>,
    /// Nothing was handed off, the last message before was old, and what waits is not known.
    pub silent_when_behind: bool,
}

impl Evidence {
    /// The culprit with the largest charge of a part; `None` when none is known.
    pub(super) fn worst(&self, part: Part) -> Option<&BlameRow> {
        self.blame
            .iter()
            .find(|row| row.part == part && row.is_attributed())
    }

    /// Whether the causes follow from what the reader does while something waits for it: most of the
    /// age was not observed, because the agent came later.
    pub(super) fn judges_by_waited(&self) -> bool {
        let sums = self.figures.sums_without_skew();
        let unknown = sums.part(Part::Unknown) as f64;
        unknown > DOMINANT_SHARE * sums.total() as f64 && self.waited.is_conclusive(self.length)
    }

    /// Whether more CPU would make the ages smaller; `None` when not known.
    pub(super) fn more_cpu_helps(&self) -> Option<bool> {
        Some(self.what_if.as_ref()?.helps(Scenario::MoreCpu))
    }
}

/// CPU use of a process, from the counters of its cgroups.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CpuUse {
    /// Path of its own cgroup below the cgroup mount; `/` is the whole machine, or the visible part
    /// of it.
    pub path: String,
    /// Use of that cgroup in CPUs (CPU seconds per second); `None` when not counted.
    pub cores: Option<f64>,
    /// The tightest limit among its ancestors; `None` without any.
    pub limit: Option<CpuLimit>,
    /// CPU request of its container in CPUs; `None` without one, or when not known.
    pub request: Option<f64>,
}

/// A cgroup with a CPU quota.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CpuLimit {
    /// Path below the cgroup mount.
    pub path: String,
    /// CPU time allowed per period, nanoseconds.
    pub quota_ns: u64,
    /// Length of a period, nanoseconds.
    pub period_ns: u64,
    /// The limit in CPUs: quota by period.
    pub cores: f64,
    /// Use in CPUs; `None` when not counted.
    pub used: Option<f64>,
    /// Periods in which it was runnable.
    pub periods: u64,
    /// Periods in which it used up the quota, at most `periods`.
    pub throttled_periods: u64,
}
