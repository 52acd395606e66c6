//! What the rules look at.

use std::time::Duration;

use super::flow::Flow;
use crate::model::{
    culprit::{Kin, Object},
    matrix::Part,
    tally::Figures,
    what_if::Service,
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
    pub culprits: Vec<Suspect>,
    /// The CPU of its process; `None` when not known.
    pub cpu: Option<CpuUse>,
    /// Nothing was handed off, and what was handed off before was old.
    pub stalled: bool,
}

impl Evidence {
    /// The worst culprit of a part.
    #[must_use]
    pub fn worst(&self, part: Part) -> Option<&Suspect> {
        self.culprits.iter().find(|suspect| suspect.part == part)
    }
}

/// Who or what made the ingest thread wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The part it is charged with.
    pub part: Part,
    /// What it is called: `json-worker/4711`, `write`, `/kubepods/podX`.
    pub name: String,
    /// Whose thread it is, where it is one that had the CPU.
    pub kin: Option<Kin>,
    /// What a system call was on.
    pub object: Object,
    /// The lock is CPython's GIL.
    pub is_gil: bool,
    /// How much of the messages' ages, nanoseconds.
    pub ns: u64,
    /// Waits.
    pub waits: u64,
    /// The middle one, nanoseconds; 0 when not known.
    pub median_ns: u64,
    /// The longest, nanoseconds; 0 when not known.
    pub longest_ns: u64,
    /// Lock-wait: how often a timer ended a wait that then went on (CPython: switch intervals).
    pub timeouts: u64,
}

/// The CPU time of a process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuUse {
    /// CPUs' worth of time its own cgroup used.
    pub cores: f64,
    /// The limit that is the tightest; `None` when there is none.
    pub limit: Option<CpuLimit>,
}

/// A cgroup with a CPU quota.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuLimit {
    /// Its path below the cgroup mount.
    pub path: String,
    /// CPUs' worth of time it may use.
    pub cores: f64,
    /// CPUs' worth of time it used.
    pub used: f64,
    /// Periods in which it was runnable.
    pub periods: u64,
    /// Of these, how many used up the quota.
    pub throttled_periods: u64,
}
