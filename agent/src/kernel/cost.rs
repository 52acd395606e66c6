//! What the probes themselves cost, from the kernel's own accounting (`bpf_stats`).

use std::{os::fd::OwnedFd, time::Duration};

use aya::{
    Ebpf,
    sys::{Stats, enable_stats},
};

/// Runs and run time of one probe since it was loaded, counted while the accounting was on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRun {
    /// Its name in `agent-ebpf/src/programs`.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How long, the accounting's own time (some 20-60 ns a run) included.
    pub time: Duration,
}

/// Keeps the kernel's accounting on for as long as it lives.
#[derive(Debug)]
pub(super) struct Accounting {
    _on: OwnedFd,
}

impl Accounting {
    /// `None` on kernels before 5.8, which have a sysctl for it instead.
    pub(super) fn start() -> Option<Self> {
        enable_stats(Stats::RunTime).ok().map(|_on| Self { _on })
    }
}

/// The figures of every loaded probe.
pub(super) fn read(ebpf: &Ebpf) -> Vec<ProbeRun> {
    ebpf.programs()
        .filter_map(|(name, program)| {
            let info = program.info().ok()?;
            Some(ProbeRun {
                name: name.to_owned(),
                runs: info.run_count(),
                time: info.run_time(),
            })
        })
        .collect()
}
