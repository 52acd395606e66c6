//! Who the processes are that read sessions: from /proc at first, and again whenever the Kubernetes
//! API knows more.

use std::collections::HashMap;

use crate::{domain::ProcessInfo, host::Host, kube::PodDirectory};

/// What was published about each process.
#[derive(Debug, Default)]
pub(super) struct ProcessInfos {
    kube: Option<PodDirectory>,
    published: HashMap<u32, ProcessInfo>,
    /// The generation of the API's names that was used last.
    generation: u64,
}

impl ProcessInfos {
    pub(super) fn new(kube: PodDirectory) -> Self {
        Self {
            kube: Some(kube),
            ..Self::default()
        }
    }

    /// The Kubernetes API, when the agent asks it.
    pub(super) const fn kube(&self) -> Option<&PodDirectory> {
        self.kube.as_ref()
    }

    /// What /proc and the API say of processes that have just begun to read; nothing of one that has
    /// ended.
    pub(super) fn add(&mut self, pids: &[u32], host: &Host) -> Vec<ProcessInfo> {
        let infos = pids.iter().filter_map(|&pid| host.process(pid));
        let infos: Vec<_> = infos
            .map(|mut info| {
                if let Some(kube) = &self.kube {
                    kube.add_names(&mut info);
                }
                info
            })
            .collect();
        self.published
            .extend(infos.iter().map(|info| (info.pid, info.clone())));
        infos
    }

    /// The processes about which the API says something new since the last call.
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
        for published in self.published.values_mut() {
            let mut info = published.clone();
            kube.add_names(&mut info);
            if info != *published {
                published.clone_from(&info);
                renamed.push(info);
            }
        }
        renamed
    }

    /// The process has ended: its pid may pass on.
    pub(super) fn forget(&mut self, pid: u32) {
        self.published.remove(&pid);
    }
}
