//! `--all`: which of the processes that read FIX are followed.
//!
//! The probes find streams; a process is decided on once, when its first stream is found, and the
//! decision holds until the process ends.

mod pattern;
mod process_selector;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use pattern::{CommandLineRegex, Glob};
pub(crate) use process_selector::ProcessAttributes;
pub use process_selector::ProcessSelector;

use crate::kube::SelectorMatch;

/// Whether a process is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is followed.
    Follow,
    /// A selector excludes it.
    Exclude,
    /// A selector needs what the Kubernetes API has not reported yet. It is not followed
    /// meanwhile.
    Undecided,
}

/// Processes with a decision, at most. Further ones are excluded, and counted.
const MAX_PROCESSES: usize = 4096;

/// The decisions so far, by pid.
#[derive(Debug)]
pub(crate) struct DiscoveryDecisions {
    selector: ProcessSelector,
    decided: HashMap<u32, Decision>,
    /// FIX streams of excluded processes.
    not_selected: u64,
    /// How often a process was excluded because the table was full.
    crowded: u64,
}

impl DiscoveryDecisions {
    pub(crate) fn new(selector: ProcessSelector) -> Self {
        Self {
            selector,
            decided: HashMap::new(),
            not_selected: 0,
            crowded: 0,
        }
    }

    /// The decision on a process; `None` before the first.
    pub(crate) fn decided(&self, pid: u32) -> Option<Decision> {
        self.decided.get(&pid).copied()
    }

    /// Decides on a process, also when there is a decision already.
    pub(crate) fn decide(&mut self, pid: u32, process: &dyn ProcessAttributes) -> Decision {
        if self.decided.len() >= MAX_PROCESSES && !self.decided.contains_key(&pid) {
            if self.crowded == 0 {
                log::warn!(
                    "more than {MAX_PROCESSES} processes read FIX: pid {pid} and further ones are \
                     not measured; run one tag52 per group of processes (--comm, --cgroup)"
                );
            }
            self.crowded += 1;
            return Decision::Exclude;
        }
        let decision = match self.selector.selects(process) {
            SelectorMatch::Yes => Decision::Follow,
            SelectorMatch::No => Decision::Exclude,
            SelectorMatch::Undecided => Decision::Undecided,
        };
        self.decided.insert(pid, decision);
        decision
    }

    /// The processes that are not decided on yet.
    pub(crate) fn undecided(&self) -> impl Iterator<Item = u32> + '_ {
        let decided = self.decided.iter();
        decided
            .filter(|&(_, &decision)| decision == Decision::Undecided)
            .map(|(&pid, _)| pid)
    }

    /// Counts FIX streams of an excluded process.
    pub(crate) const fn exclude_streams(&mut self, streams: u64) {
        self.not_selected += streams;
    }

    /// FIX streams of excluded processes, since the start.
    pub(crate) const fn not_selected(&self) -> u64 {
        self.not_selected
    }

    /// Forgets a process that has ended: its pid may be reused.
    pub(crate) fn ended(&mut self, pid: u32) {
        self.decided.remove(&pid);
    }
}
