//! The names of culprits.

use std::{collections::HashMap, sync::Arc};

use crate::domain::{CallObject, Culprit, CulpritId, Lock, RunnerRelation, ThreadName};

/// The culprits by their ids, as far as the updates have defined them.
#[derive(Debug, Default)]
pub(super) struct CulpritDictionary(HashMap<CulpritId, Arc<Culprit>>);

impl CulpritDictionary {
    pub(super) fn define(&mut self, id: CulpritId, culprit: &Arc<Culprit>) {
        self.0.insert(id, Arc::clone(culprit));
    }

    pub(super) fn get(&self, id: CulpritId) -> Option<&Arc<Culprit>> {
        self.0.get(&id)
    }

    /// The name of a culprit; `other` when its id is not defined.
    pub(super) fn name(&self, id: CulpritId) -> String {
        match self.0.get(&id).map(|culprit| &**culprit) {
            None => "other".to_owned(),
            Some(Culprit::Holder { lock, thread }) => {
                format!("{} held by {}", self::lock(lock), self::thread(thread))
            }
            Some(Culprit::Runner {
                thread,
                cgroup,
                relation,
            }) => {
                let relation = match relation {
                    RunnerRelation::SameProcess => "same process",
                    RunnerRelation::SameCgroup => "same cgroup",
                    RunnerRelation::OtherCgroup => "another cgroup",
                    RunnerRelation::Kernel => "kernel",
                };
                let of = if cgroup.is_empty() { "" } else { ", " };
                format!("{} ({relation}{of}{cgroup})", self::thread(thread))
            }
            Some(Culprit::Quota { cgroup }) => format!("quota of {cgroup}"),
            Some(Culprit::Call { name, object }) => match object {
                CallObject::None => name.clone(),
                CallObject::Pipe { inode, others } => {
                    format!("{name} pipe:[{inode}] with {}", others.join(", "))
                }
                CallObject::Socket { peer } => format!("{name} socket to {peer}"),
                CallObject::File { path } => format!("{name} {path}"),
                CallObject::Other(what) => format!("{name} {what}"),
            },
        }
    }
}

/// The name of a lock.
pub(super) fn lock(lock: &Lock) -> String {
    match lock {
        Lock::Gil => "GIL".to_owned(),
        Lock::Futex { address } => format!("futex {address:#x}"),
    }
}

fn thread(thread: &ThreadName) -> String {
    format!("{} {}", thread.comm, thread.tid)
        .trim_start()
        .to_owned()
}
