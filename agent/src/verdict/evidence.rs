//! What the rules look at.

use std::time::Duration;

use super::flow::Flow;
use crate::{
    domain::Part,
    stats::{BlameRow, Figures},
    what_if::{Scenario, Service, WhatIf},
};

/// Everything a diagnosis of one session rests on, of an interval or since the start.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// How long it was looked at.
    pub length: Duration,
    /// The messages and where their ages went.
    pub figures: Figures,
    /// What came in and what was drained.
    pub flow: Flow,
    /// What the ingest thread spent, by part, from the arrival of a message to the hand-off.
    pub spent: Service,
    /// Who or what made it wait, the worst first within each part; empty when not known.
    pub blame: Vec<BlameRow>,
    /// What the ages would be with one cause taken out; `None` when not known.
    pub what_if: Option<WhatIf>,
    /// The CPU of its process; `None` when not known.
    pub cpu: Option<CpuUse>,
    /// Nothing was handed off, and what was handed off before was old.
    pub stalled: bool,
}

impl Evidence {
    /// The worst culprit of a part; `None` when nobody is known for any of it.
    #[must_use]
    pub fn worst(&self, part: Part) -> Option<&BlameRow> {
        self.blame
            .iter()
            .find(|row| row.part == part && row.is_attributed())
    }

    /// Whether the ages would be less with more CPU; `None` when not known.
    #[must_use]
    pub fn more_cpu_helps(&self) -> Option<bool> {
        Some(self.what_if.as_ref()?.helps(Scenario::MoreCpu))
    }
}

/// The CPU time of a process's cgroups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuUse {
    /// The path of its own below the cgroup mount; `/` is the whole machine, or what is visible of
    /// it.
    pub path: String,
    /// CPUs' worth of time that one used; `None` when not counted.
    pub cores: Option<f64>,
    /// The limit that is the tightest; `None` when there is none.
    pub limit: Option<CpuLimit>,
    /// CPUs' worth of time that its container asked for; `None`: nothing, or not known.
    pub request: Option<f64>,
}

/// A cgroup with a CPU quota.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuLimit {
    /// Its path below the cgroup mount.
    pub path: String,
    /// CPU time allowed in a period, ns.
    pub quota_ns: u64,
    /// The period, ns.
    pub period_ns: u64,
    /// CPUs' worth of time it may use: the one by the other.
    pub cores: f64,
    /// CPUs' worth of time it used; `None` when not counted.
    pub used: Option<f64>,
    /// Periods in which it was runnable.
    pub periods: u64,
    /// Of these, how many used up the quota.
    pub throttled_periods: u64,
}
