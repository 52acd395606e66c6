//! The counters of what the probes could not do.

use agent_common::ProbeCounter;
use aya::maps::{MapData, PerCpuArray};

use super::ProbeError;

/// The counters of the probes, summed over the CPUs.
pub(super) struct ProbeCounters {
    map: PerCpuArray<MapData, u64>,
}

impl ProbeCounters {
    pub(super) fn new(map: PerCpuArray<MapData, u64>) -> Self {
        Self { map }
    }

    /// Every counter since the probes were loaded.
    pub(super) fn read(&self) -> Result<Vec<(ProbeCounter, u64)>, ProbeError> {
        ProbeCounter::ALL
            .iter()
            .map(|&counter| {
                let per_cpu = self.map.get(&(counter as u32), 0)?;
                Ok((counter, per_cpu.iter().sum()))
            })
            .collect()
    }
}
