//! The CPU of one watched process, as its cgroups tell.

use super::{cgroup::CgroupUse, moment::Moment, verdict::CpuUse};

/// Readings of cumulative counters, and where intervals begin.
#[derive(Debug)]
pub(super) struct Cpu {
    first: (Moment, CgroupUse),
    interval: (Moment, CgroupUse),
    pub(super) latest: (Moment, CgroupUse),
}

impl Cpu {
    pub(super) fn first(now: Moment, read: &CgroupUse) -> Self {
        let reading = (now, read.clone());
        Self {
            first: reading.clone(),
            interval: reading.clone(),
            latest: reading,
        }
    }

    /// What was used since the last call.
    pub(super) fn take_interval(&mut self) -> Option<CpuUse> {
        let used = CpuUse::between(&self.interval, &self.latest);
        self.interval = self.latest.clone();
        used
    }

    /// What was used since the first reading.
    pub(super) fn total(&self) -> Option<CpuUse> {
        CpuUse::between(&self.first, &self.latest)
    }
}
