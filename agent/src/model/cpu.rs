//! The CPU of one watched process, as its cgroups tell.

use super::recent::{LatestPair, Readings};
use crate::{
    domain::{CgroupUse, Moment},
    verdict::CpuUse,
};

/// Readings of cumulative counters, and where intervals begin.
#[derive(Debug)]
pub(super) struct Cpu {
    first: (Moment, CgroupUse),
    interval: (Moment, CgroupUse),
    readings: Readings<CgroupUse>,
    /// The process has ended: what is left is for its sessions' sums.
    pub(super) ended: bool,
}

impl Cpu {
    pub(super) fn first(now: Moment, read: &CgroupUse) -> Self {
        Self {
            first: (now, read.clone()),
            interval: (now, read.clone()),
            readings: Readings::first(now, read),
            ended: false,
        }
    }

    pub(super) fn read(&mut self, now: Moment, read: &CgroupUse) {
        self.readings.push(now, read);
    }

    /// The latest two readings.
    pub(super) fn recent(&self) -> LatestPair<'_, CgroupUse> {
        self.readings.recent()
    }

    /// What was used since the last call.
    pub(super) fn take_interval(&mut self) -> Option<CpuUse> {
        let used = CpuUse::between(&self.interval, &self.readings.latest);
        self.interval = self.readings.latest.clone();
        used
    }

    /// What was used since the first reading.
    pub(super) fn total(&self) -> Option<CpuUse> {
        CpuUse::between(&self.first, &self.readings.latest)
    }
}
