//! The CPU limits of a target process and what is used of them.

use serde::{Deserialize, Serialize};

/// One cgroup between the process's own and the root. Counters are cumulative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLevel {
    /// Path below the cgroup mount (`/kubepods/burstable/podX`).
    pub path: String,
    /// CPU time allowed per period, nanoseconds; `None` without a limit.
    pub quota_ns: Option<u64>,
    /// Length of a period, nanoseconds.
    pub period_ns: u64,
    /// CPU time used since the cgroup was created, nanoseconds; `None` where no controller counts
    /// it: with cgroup v1, limits and accounts may be in different hierarchies.
    pub usage_ns: Option<u64>,
    /// Periods in which the cgroup was runnable.
    pub periods: u64,
    /// Periods in which it used up its quota, at most `periods`.
    pub throttled_periods: u64,
    /// Time for which the kernel kept its threads from running, nanoseconds, as the kernel counts
    /// it: summed over CPUs.
    pub throttled_ns: u64,
}

impl CgroupLevel {
    /// The limit in CPUs: quota by period; `None` without a limit.
    #[must_use]
    pub fn cores(&self) -> Option<f64> {
        let quota = self.quota_ns?;
        (self.period_ns > 0).then(|| quota as f64 / self.period_ns as f64)
    }
}

/// One reading of the cgroups of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupUse {
    /// The process.
    pub pid: u32,
    /// The process's own cgroup, then its ancestors; those without a CPU controller are skipped.
    pub levels: Vec<CgroupLevel>,
}
