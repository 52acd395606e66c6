//! What the probes could not do.

use agent_common::ProbeCounter;
use aya::maps::{MapData, PerCpuArray};

use super::ProbeError;

/// The counters the probes keep, summed over the CPUs.
pub(super) struct Counts {
    map: PerCpuArray<MapData, u64>,
}

impl Counts {
    pub(super) fn new(map: PerCpuArray<MapData, u64>) -> Self {
        Self { map }
    }

    /// Every count since the probes were loaded.
    pub(super) fn read(&self) -> Result<Vec<(ProbeCounter, u64)>, ProbeError> {
        ProbeCounter::ALL
            .iter()
            .map(|&count| {
                let per_cpu = self.map.get(&(count as u32), 0)?;
                Ok((count, per_cpu.iter().sum()))
            })
            .collect()
    }
}
