//! Health: the agent's account of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The cost of one probe, from the kernel's BPF statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCost {
    /// Name of the probe.
    pub name: String,
    /// Number of runs.
    pub runs: u64,
    /// Summed run time, nanoseconds.
    pub run_time_ns: u64,
}

impl ProbeCost {
    /// Mean run time, nanoseconds; `None` without runs.
    #[must_use]
    pub fn mean_ns(&self) -> Option<f64> {
        (self.runs > 0).then(|| self.run_time_ns as f64 / self.runs as f64)
    }
}

/// Whether this machine lets the agent observe something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Availability {
    /// Observed through this hook.
    Observed(String),
    /// Not observed, for this reason.
    Unavailable(String),
}

/// Something that the agent observes where it can, such as arrivals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Its name.
    pub name: String,
    /// Whether it is observed here, and how.
    pub availability: Availability,
}

impl Capability {
    /// A concept that is observed through a hook.
    pub fn observed(name: impl Into<String>, hook: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            availability: Availability::Observed(hook.into()),
        }
    }

    /// A concept that cannot be observed, and why.
    pub fn unavailable(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            availability: Availability::Unavailable(why.into()),
        }
    }

    /// A concept that is observed through a hook if that is `there`.
    #[must_use]
    pub fn when(there: bool, name: &str, hook: &str, why_not: &str) -> Self {
        if there {
            Self::observed(name, hook)
        } else {
            Self::unavailable(name, why_not)
        }
    }
}

/// State of the connection to the Kubernetes API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeHealth {
    /// Whether the watch on the pods of this node is up.
    pub up: bool,
    /// Pods in the table.
    pub pods: u64,
    /// Failures since the start, by kind.
    pub errors: Vec<(String, u64)>,
}

/// The TCP streams that discovery (`--all`) has classified since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryCounts {
    /// FIX streams of targets.
    pub fix: u64,
    /// Streams of anything else.
    pub other: u64,
    /// FIX streams that a selector excludes.
    pub not_selected: u64,
}

/// Resources that the agent's own process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnUse {
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// CPU time since its start, user and system together, nanoseconds.
    pub cpu_ns: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Soft limit of open descriptors; `None` when unlimited.
    pub max_fds: Option<u64>,
}

/// The agent's losses, anomalies, capabilities and costs. Kinds are compile-time names, which
/// bounds their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    lost: BTreeMap<&'static str, u64>,
    anomalies: BTreeMap<&'static str, u64>,
    /// The cost of every probe.
    pub probes: Vec<ProbeCost>,
    /// What the agent can and cannot observe on this machine.
    pub capabilities: Vec<Capability>,
    /// The largest number of unread bytes found in the ring buffer so far.
    pub ring_high_water_bytes: u64,
    /// The agent's own use; `None` when it could not be read.
    pub own: Option<OwnUse>,
    /// Kubernetes API; `None` when it is not used.
    pub kube: Option<KubeHealth>,
    /// Discovery; `None` when targets were given by pid.
    pub discovery: Option<DiscoveryCounts>,
}

impl Health {
    /// Adds to the lost events of a kind.
    pub fn lose(&mut self, kind: &'static str, events: u64) {
        *self.lost.entry(kind).or_default() += events;
    }

    /// Sets the lost events of a kind that is counted elsewhere. A total of 0 lists the kind; the
    /// count never decreases.
    pub fn set_lost(&mut self, kind: &'static str, total: u64) {
        let count = self.lost.entry(kind).or_default();
        *count = total.max(*count);
    }

    /// Adds to the anomalies of a kind: irregularities that were dealt with.
    pub fn anomaly(&mut self, kind: &'static str, times: u64) {
        *self.anomalies.entry(kind).or_default() += times;
    }

    /// Sets the anomalies of a kind that is counted elsewhere; the count never decreases.
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
