//! Who the processes are that read sessions: told once from /proc, and again when the API knows
//! more.

use std::collections::HashMap;

use crate::{domain::ProcessInfo, host::Host, kube::PodDirectory};

/// What the model has been told of them.
#[derive(Debug, Default)]
pub(super) struct Processes {
    kube: Option<PodDirectory>,
    told: HashMap<u32, ProcessInfo>,
    /// Of the API's names, when they were looked at last.
    generation: u64,
}

impl Processes {
    pub(super) fn new(kube: PodDirectory) -> Self {
        Self {
            kube: Some(kube),
            ..Self::default()
        }
    }

    /// The API, if it is asked.
    pub(super) const fn kube(&self) -> Option<&PodDirectory> {
        self.kube.as_ref()
    }

    /// Processes that have just begun to read: all that is known now. One that has ended is left
    /// out.
    pub(super) fn introduce(&mut self, pids: &[u32], host: &Host) -> Vec<ProcessInfo> {
        let facts = pids.iter().filter_map(|&pid| host.process(pid));
        let facts: Vec<_> = facts
            .map(|mut facts| {
                if let Some(kube) = &self.kube {
                    kube.add_names(&mut facts);
                }
                facts
            })
            .collect();
        self.told
            .extend(facts.iter().map(|facts| (facts.pid, facts.clone())));
        facts
    }

    /// Those of which the API knows something else than it did.
    pub(super) fn renamed(&mut self) -> Vec<ProcessInfo> {
        let Some(kube) = &self.kube else {
            return Vec::new();
        };
        let generation = kube.generation();
        if generation == self.generation {
            return Vec::new();
        }
        self.generation = generation;
        let mut renamed = Vec::new();
        for told in self.told.values_mut() {
            let mut facts = told.clone();
            kube.add_names(&mut facts);
            if facts != *told {
                told.clone_from(&facts);
                renamed.push(facts);
            }
        }
        renamed
    }

    /// The process has ended: its number may pass on.
    pub(super) fn forget(&mut self, pid: u32) {
        self.told.remove(&pid);
    }
}
