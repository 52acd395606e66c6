//! The CPU use of the target processes, from the counters of their cgroups.

use std::collections::{BTreeMap, HashMap};

use super::readings::{LatestPair, LatestReadings};
use crate::{
    domain::{CgroupLevel, CgroupUse, Moment},
    verdict::{CpuLimit, CpuUse},
};

/// The readings of one process.
#[derive(Debug)]
struct CpuReadings {
    first: (Moment, CgroupUse),
    /// The reading at the begin of the interval.
    interval: (Moment, CgroupUse),
    readings: LatestReadings<CgroupUse>,
    /// Whether the process has ended: its readings are still needed for the summary.
    ended: bool,
}

impl CpuReadings {
    fn new(at: Moment, reading: &CgroupUse) -> Self {
        Self {
            first: (at, reading.clone()),
            interval: (at, reading.clone()),
            readings: LatestReadings::new(at, reading),
            ended: false,
        }
    }

    fn take_interval(&mut self) -> Option<CpuUse> {
        let used = CpuUse::between(&self.interval, &self.readings.latest);
        self.interval = self.readings.latest.clone();
        used
    }

    fn total(&self) -> Option<CpuUse> {
        CpuUse::between(&self.first, &self.readings.latest)
    }
}

/// The readings of all processes, by pid.
#[derive(Debug, Default)]
pub(super) struct CpuTable(BTreeMap<u32, CpuReadings>);

impl CpuTable {
    /// Adds a reading. When there are `max` processes, one that has ended makes room for a new one;
    /// without any, the reading is ignored.
    pub(super) fn add(&mut self, at: Moment, reading: &CgroupUse, max: usize) {
        if let Some(cpu) = self.0.get_mut(&reading.pid)
            && !cpu.ended
        {
            cpu.readings.add(at, reading);
            return;
        }
        if self.0.len() >= max {
            let ended = self.0.iter().find(|(_, cpu)| cpu.ended);
            let Some((&pid, _)) = ended else {
                return;
            };
            self.0.remove(&pid);
        }
        self.0.insert(reading.pid, CpuReadings::new(at, reading));
    }

    pub(super) fn process_ended(&mut self, pid: u32) {
        if let Some(cpu) = self.0.get_mut(&pid) {
            cpu.ended = true;
        }
    }

    /// The use of every process since the last call, by pid.
    pub(super) fn take_interval(&mut self) -> HashMap<u32, CpuUse> {
        self.0
            .iter_mut()
            .filter_map(|(&pid, cpu)| Some((pid, cpu.take_interval()?)))
            .collect()
    }

    /// The use of a process since its first reading.
    pub(super) fn total(&self, pid: u32) -> Option<CpuUse> {
        self.0.get(&pid)?.total()
    }

    /// The latest two readings of every process.
    pub(super) fn latest_pairs(&self) -> impl Iterator<Item = LatestPair<'_, CgroupUse>> {
        self.0.values().map(|cpu| cpu.readings.pair())
    }
}

impl CpuUse {
    /// The use between two readings of a process's cgroups; `None` when there is no time between them
    /// or the process has moved to other cgroups.
    fn between(from: &(Moment, CgroupUse), to: &(Moment, CgroupUse)) -> Option<Self> {
        let seconds = to.0.since(from.0).as_secs_f64();
        let levels = || from.1.levels.iter().zip(&to.1.levels);
        if seconds <= 0.0 || levels().any(|(a, b)| a.path != b.path) {
            return None;
        }
        let used = |a: &CgroupLevel, b: &CgroupLevel| {
            Some(b.usage_ns?.saturating_sub(a.usage_ns?) as f64 / 1e9 / seconds)
        };
        let (own_before, own) = levels().next()?;
        // The limit that was used up most often, else the one with the least to spare.
        let limit = levels()
            .filter_map(|(a, b)| {
                Some(CpuLimit {
                    path: b.path.clone(),
                    quota_ns: b.quota_ns?,
                    period_ns: b.period_ns,
                    cores: b.cores()?,
                    used: used(a, b),
                    periods: b.periods.saturating_sub(a.periods),
                    throttled_periods: b.throttled_periods.saturating_sub(a.throttled_periods),
                })
            })
            .max_by(|a, b| {
                let spare = |l: &CpuLimit| l.cores - l.used.unwrap_or(0.0);
                let more = a.throttled_periods.cmp(&b.throttled_periods);
                more.then(spare(b).total_cmp(&spare(a)))
            });
        Some(Self {
            path: own.path.clone(),
            cores: used(own_before, own),
            limit,
            request: None,
        })
    }
}
