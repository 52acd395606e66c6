//! The CPU limits of a watched process, and what is used of them.

use serde::{Deserialize, Serialize};

/// One cgroup on the way from a process's own to the root, counters cumulative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLevel {
    /// Its path below the cgroup mount (`/kubepods/burstable/podX`).
    pub path: String,
    /// CPU time allowed per period, ns; `None`: no limit.
    pub quota_ns: Option<u64>,
    /// The period, ns.
    pub period_ns: u64,
    /// CPU time used since the cgroup was made, ns; `None` where nobody counts it: with v1, limits
    /// and accounts may be in different cgroups.
    pub usage_ns: Option<u64>,
    /// Periods in which it was runnable.
    pub periods: u64,
    /// Of these, how many used up the quota.
    pub throttled_periods: u64,
    /// Time its threads were kept from running, as the kernel counts it, ns.
    pub throttled_ns: u64,
}

impl CgroupLevel {
    /// How many CPUs' worth of time it may use; `None`: no limit.
    #[must_use]
    pub fn cores(&self) -> Option<f64> {
        let quota = self.quota_ns?;
        (self.period_ns > 0).then(|| quota as f64 / self.period_ns as f64)
    }
}

/// The cgroups of one process, its own first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupUse {
    /// The process.
    pub pid: u32,
    /// Own cgroup first, then its ancestors; those without a CPU controller are left out.
    pub levels: Vec<CgroupLevel>,
}
