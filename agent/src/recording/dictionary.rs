//! What a segment must know of what earlier ones told, to be readable alone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::domain::{
    CgroupUse, Culprit, CulpritId, Health, Input, ProcessFacts, SessionId, ThreadFacts, WindowFacts,
};

/// The last of everything that holds until it is told anew.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    culprits: BTreeMap<CulpritId, Arc<Culprit>>,
    cgroups: BTreeMap<u32, Box<CgroupUse>>,
    processes: BTreeMap<u32, Box<ProcessFacts>>,
    threads: HashMap<Arc<SessionId>, ThreadFacts>,
    windows: HashMap<Arc<SessionId>, WindowFacts>,
    health: Option<Box<Health>>,
}

impl Dictionary {
    /// Keeps what still holds later.
    pub(super) fn learn(&mut self, input: Input) {
        match input {
            Input::Culprit(id, culprit) => {
                self.culprits.insert(id, culprit);
            }
            Input::CulpritGone(id) => {
                self.culprits.remove(&id);
            }
            Input::Cgroup(cgroup) => {
                self.cgroups.insert(cgroup.pid, cgroup);
            }
            Input::Process(facts) => {
                self.processes.insert(facts.pid, facts);
            }
            Input::ProcessEnded(pid) => {
                self.processes.remove(&pid);
                self.cgroups.remove(&pid);
            }
            Input::Threads(session, facts) => {
                self.threads.insert(session, facts);
            }
            Input::Window(session, facts) => {
                self.windows.insert(session, facts);
            }
            Input::Ended(session) => {
                self.windows.remove(&session);
                self.threads.remove(&session);
            }
            Input::Health(health) => self.health = Some(health),
            Input::Message(_)
            | Input::Excluded(..)
            | Input::Tap(..)
            | Input::Wait(_)
            | Input::Sample(_)
            // Told anew with every interval.
            | Input::ThreadUse(_) => {}
        }
    }

    /// What is to be told again.
    pub(super) fn inputs(&self) -> impl Iterator<Item = Input> + '_ {
        let culprits = self.culprits.iter();
        let cgroups = self.cgroups.values();
        let threads = self.threads.iter();
        let windows = self.windows.iter();
        culprits
            .map(|(&id, culprit)| Input::Culprit(id, Arc::clone(culprit)))
            .chain(threads.map(|(id, facts)| Input::Threads(Arc::clone(id), *facts)))
            .chain(windows.map(|(id, facts)| Input::Window(Arc::clone(id), *facts)))
            .chain(
                self.processes
                    .values()
                    .map(|facts| Input::Process(facts.clone())),
            )
            .chain(cgroups.map(|cgroup| Input::Cgroup(cgroup.clone())))
            .chain(
                self.health
                    .iter()
                    .map(|health| Input::Health(health.clone())),
            )
    }
}
