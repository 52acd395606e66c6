//! The agent's account of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a probe has cost, from the kernel's own statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCost {
    /// The probe.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How long it ran altogether, in nanoseconds.
    pub run_time_ns: u64,
}

impl ProbeCost {
    /// Nanoseconds per run; `None` when it never ran.
    #[must_use]
    pub fn mean_ns(&self) -> Option<f64> {
        (self.runs > 0).then(|| self.run_time_ns as f64 / self.runs as f64)
    }
}

/// What serves a concept on this kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Availability {
    /// The hook that was chosen.
    Observed(String),
    /// There is none; why.
    Unavailable(String),
}

/// A concept, such as arrivals, and what serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// The concept.
    pub name: String,
    /// What serves it.
    pub availability: Availability,
}

/// How the Kubernetes API is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeHealth {
    /// Whether the pods of this node are being followed now.
    pub up: bool,
    /// Pods known.
    pub pods: u64,
    /// Failures since the start, by kind.
    pub errors: Vec<(String, u64)>,
}

/// What became of the TCP streams that were looked at (`--all`), since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryCounts {
    /// FIX streams that are followed.
    pub fix: u64,
    /// Streams of anything else.
    pub other: u64,
    /// FIX streams that a selector leaves out.
    pub not_selected: u64,
}

/// What the agent itself uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnUse {
    /// Memory in use, bytes.
    pub resident_bytes: u64,
    /// CPU time since its start, user and system, nanoseconds.
    pub cpu_ns: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// How many it may have; `None`: any number.
    pub max_fds: Option<u64>,
}

/// The agent's own losses, oddities and costs. Kinds are names known at compile time, so that their
/// number is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    lost: BTreeMap<&'static str, u64>,
    anomalies: BTreeMap<&'static str, u64>,
    /// Probes and their costs.
    pub probes: Vec<ProbeCost>,
    /// What was found on this kernel.
    pub capabilities: Vec<Capability>,
    /// The most bytes ever found waiting in the ring.
    pub ring_high_water_bytes: u64,
    /// What the agent itself uses; `None` when that is not known.
    pub own: Option<OwnUse>,
    /// `None`: the API is not used.
    pub kube: Option<KubeHealth>,
    /// `None`: what to watch was given.
    pub discovery: Option<DiscoveryCounts>,
}

impl Health {
    /// Counts lost events.
    pub fn lose(&mut self, kind: &'static str, events: u64) {
        *self.lost.entry(kind).or_default() += events;
    }

    /// Sets the lost events of a kind that is counted elsewhere. 0 makes the kind known; the count
    /// never goes down.
    pub fn set_lost(&mut self, kind: &'static str, total: u64) {
        let count = self.lost.entry(kind).or_default();
        *count = total.max(*count);
    }

    /// Counts anomalies: what should not happen and was survived.
    pub fn anomaly(&mut self, kind: &'static str, times: u64) {
        *self.anomalies.entry(kind).or_default() += times;
    }

    /// Sets the anomalies of a kind that is counted elsewhere; the count never goes down.
    pub fn set_anomaly(&mut self, kind: &'static str, total: u64) {
        let count = self.anomalies.entry(kind).or_default();
        *count = total.max(*count);
    }

    /// Lost events by kind.
    pub fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.lost.iter().map(|(&kind, &count)| (kind, count))
    }

    /// Anomalies by kind.
    pub fn anomalies(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.anomalies.iter().map(|(&kind, &count)| (kind, count))
    }
}
