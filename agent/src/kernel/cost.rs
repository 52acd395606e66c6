//! What the probes themselves cost, from the kernel's own accounting (`bpf_stats`).

use std::os::fd::OwnedFd;

use aya::{
    Ebpf,
    sys::{Stats, enable_stats},
};

use crate::domain::ProbeCost;

/// Keeps the kernel's accounting on for as long as it lives.
#[derive(Debug)]
pub(super) struct RunTimeAccounting {
    _on: OwnedFd,
}

impl RunTimeAccounting {
    /// `None` on kernels before 5.8, which have a sysctl for it instead.
    pub(super) fn start() -> Option<Self> {
        let on = enable_stats(Stats::RunTime).ok()?;
        Some(Self { _on: on })
    }
}

/// Runs and run time of every loaded probe since it was loaded, counted while the accounting was
/// on; the accounting's own time (20 to 60 ns a run) is included.
pub(super) fn read(ebpf: &Ebpf) -> Vec<ProbeCost> {
    ebpf.programs()
        .filter_map(|(name, program)| {
            let info = program.info().ok()?;
            Some(ProbeCost {
                name: name.to_owned(),
                runs: info.run_count(),
                run_time_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
            })
        })
        .collect()
}
