//! The updates that a segment repeats at its beginning, so that it can be read alone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::domain::{
    CgroupUse, Culprit, CulpritId, Health, LockWaitTotals, ProcessInfo, SessionId, Update,
    WindowClosures,
};

/// The last update of each kind and subject that holds until the next one.
#[derive(Debug, Default)]
pub(super) struct Preamble {
    culprits: BTreeMap<CulpritId, Arc<Culprit>>,
    cgroups: BTreeMap<u32, Box<CgroupUse>>,
    processes: BTreeMap<u32, Box<ProcessInfo>>,
    threads: HashMap<Arc<SessionId>, LockWaitTotals>,
    windows: HashMap<Arc<SessionId>, WindowClosures>,
    health: Option<Box<Health>>,
}

impl Preamble {
    /// Retains an update that still holds in later segments.
    pub(super) fn retain(&mut self, update: Update) {
        match update {
            Update::Culprit(id, culprit) => {
                self.culprits.insert(id, culprit);
            }
            Update::CulpritRetired(id) => {
                self.culprits.remove(&id);
            }
            Update::Cgroup(cgroup) => {
                self.cgroups.insert(cgroup.pid, cgroup);
            }
            Update::Process(facts) => {
                self.processes.insert(facts.pid, facts);
            }
            Update::ProcessEnded(pid) => {
                self.processes.remove(&pid);
                self.cgroups.remove(&pid);
            }
            Update::LockWaits(session, facts) => {
                self.threads.insert(session, facts);
            }
            Update::Window(session, facts) => {
                self.windows.insert(session, facts);
            }
            Update::SessionEnded(session) => {
                self.windows.remove(&session);
                self.threads.remove(&session);
            }
            Update::Health(health) => self.health = Some(health),
            Update::Message(_)
            | Update::Excluded(..)
            | Update::Tap(..)
            // Sampled anew a moment later.
            | Update::Waiting(..)
            | Update::Wait(_)
            | Update::HolderSample(_)
            // Published anew with every interval.
            | Update::ThreadUse(_)
            | Update::IntervalEnded => {}
        }
    }

    /// The updates to repeat.
    pub(super) fn updates(&self) -> impl Iterator<Item = Update> + '_ {
        let culprits = self.culprits.iter();
        let cgroups = self.cgroups.values();
        let threads = self.threads.iter();
        let windows = self.windows.iter();
        culprits
            .map(|(&id, culprit)| Update::Culprit(id, Arc::clone(culprit)))
            .chain(threads.map(|(id, facts)| Update::LockWaits(Arc::clone(id), *facts)))
            .chain(windows.map(|(id, facts)| Update::Window(Arc::clone(id), *facts)))
            .chain(
                self.processes
                    .values()
                    .map(|facts| Update::Process(facts.clone())),
            )
            .chain(cgroups.map(|cgroup| Update::Cgroup(cgroup.clone())))
            .chain(
                self.health
                    .iter()
                    .map(|health| Update::Health(health.clone())),
            )
    }
}
