//! `--all`: from the streams that the probes found to the processes that are followed.

use std::{io, num::NonZeroU32};

use super::{
    discovery::{Decision, DiscoveryDecisions, ProcessAttributes, ProcessSelector},
    exits::ExitWatcher,
    target::Target,
};
use crate::{
    domain::Update,
    host::Host,
    kernel::{FunctionLocation, FunctionSearch, FunctionSpec, ProbeError},
    kube::{PodDirectory, PodSelector, SelectorMatch},
};

/// The processes that were found to read FIX.
#[derive(Debug)]
pub(crate) struct DiscoveredProcesses {
    pub(crate) decisions: DiscoveryDecisions,
    exits: ExitWatcher,
    /// Processes decided on since [`Self::take_decided`] was called last.
    fresh: Vec<u32>,
    /// The function named with `--handoff`, and the thread that searches for it.
    function: Option<(FunctionSpec, FunctionSearch)>,
}

/// A process, and what was decided on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecidedProcess {
    pub(crate) pid: NonZeroU32,
    pub(crate) decision: Decision,
    /// Whether this is the first decision on it.
    pub(crate) first: bool,
}

/// The attributes of a process of this machine, read when a selector asks for them.
struct HostProcess<'a> {
    pid: u32,
    host: &'a Host,
    kube: Option<&'a PodDirectory>,
}

impl ProcessAttributes for HostProcess<'_> {
    fn comm(&self) -> String {
        let facts = self.host.process(self.pid);
        facts.map(|facts| facts.comm).unwrap_or_default()
    }

    fn command_line(&self) -> String {
        self.host.command_line(self.pid).unwrap_or_default()
    }

    fn cgroups(&self) -> Vec<String> {
        self.host.cgroup_paths(self.pid).unwrap_or_default()
    }

    fn matches_pod(&self, selector: &PodSelector) -> SelectorMatch {
        if selector.is_any() {
            return SelectorMatch::Yes;
        }
        match self.host.process(self.pid) {
            Some(facts) => selector.matches(&facts, self.kube),
            None => SelectorMatch::No,
        }
    }
}

impl DiscoveredProcesses {
    /// No process is discovered yet. Starts the thread that searches for the function of
    /// `--handoff`, if one is named.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn new(
        selector: ProcessSelector,
        exits: ExitWatcher,
        function: Option<FunctionSpec>,
    ) -> io::Result<Self> {
        let searched = |function: FunctionSpec| {
            let search = FunctionSearch::start(function.clone())?;
            Ok::<_, io::Error>((function, search))
        };
        Ok(Self {
            decisions: DiscoveryDecisions::new(selector),
            exits,
            fresh: Vec::new(),
            function: function.map(searched).transpose()?,
        })
    }

    /// Starts to search for the function of `--handoff` in a process, in the background; until it
    /// is found, a message is handed off when the thread next reads or waits. `false` when no
    /// function is named or the searching thread has died.
    pub(crate) fn search_function(&self, pid: NonZeroU32) -> bool {
        let Some((function, search)) = &self.function else {
            return false;
        };
        let started = search.search_in(pid);
        if !started {
            log::warn!(
                "--handoff {function} cannot be searched for in pid {pid}, as the searching \
                 thread has died: its messages are handed off when the thread next reads or \
                 waits; restart tag52 to search again"
            );
        }
        started
    }

    /// A process whose search has ended since the last call: the function and where it is.
    pub(crate) fn next_function(
        &self,
    ) -> Option<(
        NonZeroU32,
        FunctionSpec,
        Result<FunctionLocation, ProbeError>,
    )> {
        let (function, search) = self.function.as_ref()?;
        let (pid, place) = search.next()?;
        Some((pid, function.clone(), place))
    }

    /// Whether an update is to be published. A process is decided on with the first update of its
    /// sessions.
    pub(crate) fn admits(
        &mut self,
        update: &Update,
        host: &Host,
        kube: Option<&PodDirectory>,
    ) -> bool {
        let Some(session) = update.session() else {
            return true;
        };
        let pid = session.pid;
        let decision = self.decisions.decided(pid).unwrap_or_else(|| {
            self.fresh.push(pid);
            self.decisions.decide(pid, &HostProcess { pid, host, kube })
        });
        decision == Decision::Follow
    }

    /// The processes decided on since the last call; undecided ones are decided on again first.
    pub(crate) fn take_decided(
        &mut self,
        host: &Host,
        kube: Option<&PodDirectory>,
    ) -> Vec<DecidedProcess> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut decided = Vec::new();
        for &pid in &fresh {
            let decision = self.decisions.decided(pid);
            decided.extend(decision.map(|decision| (pid, decision, true)));
        }
        let undecided: Vec<u32> = self.decisions.undecided().collect();
        for pid in undecided.into_iter().filter(|pid| !fresh.contains(pid)) {
            let decision = self.decisions.decide(pid, &HostProcess { pid, host, kube });
            if decision != Decision::Undecided {
                decided.push((pid, decision, false));
            }
        }
        let process = |(pid, decision, first)| {
            Some(DecidedProcess {
                pid: NonZeroU32::new(pid)?,
                decision,
                first,
            })
        };
        decided.into_iter().filter_map(process).collect()
    }

    /// Reports the exit of the process from now on; `false` when it has exited already.
    pub(crate) fn watch_exit(&self, pid: NonZeroU32) -> bool {
        let watched = Target::open(pid).map(|target| self.exits.watch(target));
        match watched {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                log::warn!(
                    "the exit of pid {pid} will not be noticed ({error}): its sessions stay open \
                     in the figures, and a later process of the same pid is measured with them; \
                     raise the limit on open files (ulimit -n) and restart tag52"
                );
                true
            }
            Err(_) => false,
        }
    }
}
