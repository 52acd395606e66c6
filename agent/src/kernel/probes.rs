//! The third stage: the probes run.

use std::{collections::HashSet, io, num::NonZeroU32};

use agent_common::{ProbeCounter, Snapshot, ThreadState, TrackedSocket, TrackedThread};
use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, RingBuf},
};

use super::{
    FunctionLocation, FunctionSpec, ProbeError,
    cost::{self, RunTimeAccounting},
    counters::ProbeCounters,
    handoff_probe,
    hooks::{SECOND_PASS, SYS_ENTER},
    missed_runs::MissedRuns,
    socket_sampler,
    watched::WatchedProcesses,
};
use crate::domain::{Capability, ProbeCost};

/// The probes in place. Dropping it takes them out of the kernel.
pub(crate) struct Probes {
    ebpf: Ebpf,
    maps: ProbeMaps,
    capabilities: Vec<Capability>,
    accounting: Option<RunTimeAccounting>,
    watches_syscalls: bool,
    slice_limit_bytes: usize,
    second_pass: SecondPass,
    /// The program that samples sockets is loaded.
    samples_sockets: bool,
}

/// The maps that probes and agent share.
pub(super) struct ProbeMaps {
    pub(super) ring: RingBuf<MapData>,
    pub(super) counters: ProbeCounters,
    pub(super) threads: HashMap<MapData, u32, TrackedThread>,
    pub(super) sockets: HashMap<MapData, u64, TrackedSocket>,
    pub(super) slice_limit: Array<MapData, u64>,
    pub(super) watched: WatchedProcesses,
}

/// Whether receive calls have a second pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum SecondPass {
    /// The hook of this kernel has none, or the kernel refused it.
    Impossible,
    /// It is attached as soon as a run of the first pass is missed.
    OnDemand,
    /// It runs.
    Since {
        /// Missed runs of the first pass before it was attached.
        missed_before: u64,
    },
}

impl Probes {
    pub(super) const fn new(
        ebpf: Ebpf,
        maps: ProbeMaps,
        capabilities: Vec<Capability>,
        accounting: Option<RunTimeAccounting>,
        second_pass: SecondPass,
        samples_sockets: bool,
    ) -> Self {
        Self {
            ebpf,
            maps,
            capabilities,
            accounting,
            watches_syscalls: false,
            slice_limit_bytes: 0,
            second_pass,
            samples_sockets,
        }
    }

    /// Watches the entry of system calls, which separates the messages of one recvmmsg(2) and shows
    /// the waits that do not sleep. It costs every system call on the machine some tens of
    /// nanoseconds, so it is for processes that need it. Returns whether it begins only now.
    ///
    /// # Errors
    /// When the kernel refuses, for the first time.
    pub(crate) fn watch_syscalls(&mut self) -> Result<bool, ProbeError> {
        if self.watches_syscalls {
            return Ok(false);
        }
        self.watches_syscalls = true;
        SYS_ENTER.attach(&mut self.ebpf)?;
        let concept = "entry of system calls";
        self.capabilities
            .push(Capability::observed(concept, SYS_ENTER.to_string()));
        Ok(true)
    }

    /// Excludes a process from now on, where all are watched: the probes write no records about it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn exclude(&mut self, pid: NonZeroU32) -> Result<(), ProbeError> {
        Ok(self.maps.watched.set(pid)?)
    }

    /// Forgets a process that has ended: another may get its pid.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn unwatch(&mut self, pid: NonZeroU32) -> Result<(), ProbeError> {
        Ok(self.maps.watched.clear(pid)?)
    }

    /// Observes the calls of the function in this process from now on.
    ///
    /// # Errors
    /// When the kernel refuses, or the process has ended.
    pub(crate) fn attach_function(
        &mut self,
        pid: NonZeroU32,
        function: &FunctionSpec,
        location: &FunctionLocation,
    ) -> Result<(), ProbeError> {
        handoff_probe::attach(&mut self.ebpf, pid, function, location)
    }

    /// Sets how many bytes of each message the probes copy while much waits in the ring.
    pub(crate) fn set_slice_limit(&mut self, bytes: usize) {
        let limit = &mut self.maps.slice_limit;
        // An element of an array is always there; if not, the probes go on as before.
        if self.slice_limit_bytes != bytes && limit.set(0, bytes as u64, 0).is_ok() {
            self.slice_limit_bytes = bytes;
        }
    }

    /// The ring of records.
    pub(crate) fn ring(&mut self) -> &mut RingBuf<MapData> {
        &mut self.maps.ring
    }

    /// What is observed through which hook, and what is unavailable and why.
    #[must_use]
    pub(crate) fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// What the probes could not do since they were loaded.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub(crate) fn counters(&self) -> Result<Vec<(ProbeCounter, u64)>, ProbeError> {
        self.maps.counters.read()
    }

    /// How many runs of probes the kernel skipped, each an event that was not observed. When one of
    /// them was for a receive call, a second pass begins, unless the kernel refuses it.
    pub(crate) fn missed_runs(&mut self) -> (u64, Result<(), ProbeError>) {
        let missed = MissedRuns::read(&self.ebpf);
        let mut attached = Ok(());
        if matches!(self.second_pass, SecondPass::OnDemand) && missed.any_receive() {
            attached = SECOND_PASS.attach(&mut self.ebpf);
            self.second_pass = match attached {
                Ok(()) => SecondPass::Since {
                    missed_before: missed.of_first_pass(),
                },
                Err(_) => SecondPass::Impossible,
            };
        }
        let missed_before = match self.second_pass {
            SecondPass::Since { missed_before } => Some(missed_before),
            SecondPass::Impossible | SecondPass::OnDemand => None,
        };
        (missed.lost(missed_before), attached)
    }

    /// The tracked thread's counters as stored: the state in progress is not included. `None` when
    /// it is not tracked (any more).
    #[must_use]
    pub(crate) fn thread(&self, tid: u32) -> Option<TrackedThread> {
        self.maps.threads.get(&tid, 0).ok()
    }

    /// The tracked thread's counters as of `now` (`CLOCK_MONOTONIC`, read before the call); `None`
    /// when it is not tracked, is being written, or is runnable (the throttled part of a wait in
    /// progress can be read in the kernel only).
    #[must_use]
    pub(crate) fn snapshot(&self, tid: u32, now: u64) -> Option<Snapshot> {
        let thread = self.thread(tid)?;
        let again = self.thread(tid)?;
        let stable = thread.seq % 2 == 0 && thread.seq == again.seq;
        if !stable || thread.state == ThreadState::RunQueue as u32 {
            return None;
        }
        let at = now.max(thread.since_ns);
        let mut ns = thread.state_ns;
        *ns.get_mut(thread.state as usize)? += at - thread.since_ns;
        Some(Snapshot {
            at_ns: at,
            state_ns: ns,
            tid,
            reserved: 0,
        })
    }

    /// Has the probes write a record of what waits on the socket at this address of the kernel, as
    /// [`agent_common::SocketOpened::sk`] gives it, and of what its reader does.
    ///
    /// # Errors
    /// When the kernel refuses to run the program.
    pub(crate) fn sample_socket(&self, sk: u64) -> io::Result<()> {
        if self.samples_sockets {
            socket_sampler::sample(&self.ebpf, sk)
        } else {
            Ok(())
        }
    }

    /// The ids of the watched sockets, as records have them: one that is missing is closed.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub(crate) fn sockets(&self) -> Result<HashSet<u64>, ProbeError> {
        let sockets = self.maps.sockets.iter();
        sockets.map(|socket| Ok(socket?.1.id)).collect()
    }

    /// What the probes cost; empty unless [`super::ProbeConfig::accounts_run_time`].
    #[must_use]
    pub(crate) fn cost(&self) -> Vec<ProbeCost> {
        match self.accounting {
            Some(_) => cost::read(&self.ebpf),
            None => Vec::new(),
        }
    }

    /// The loaded object, for its log map.
    pub(crate) fn ebpf(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
}
