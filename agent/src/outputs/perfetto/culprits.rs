//! What the ids of culprits stand for.

use std::{collections::HashMap, sync::Arc};

use crate::domain::{Culprit, CulpritId, Kin, Lock, Object, ThreadName};

/// The dictionary, as it has been told so far.
#[derive(Debug, Default)]
pub(super) struct Culprits(HashMap<CulpritId, Arc<Culprit>>);

impl Culprits {
    pub(super) fn learn(&mut self, id: CulpritId, culprit: &Arc<Culprit>) {
        self.0.insert(id, Arc::clone(culprit));
    }

    pub(super) fn get(&self, id: CulpritId) -> Option<&Arc<Culprit>> {
        self.0.get(&id)
    }

    /// In words.
    pub(super) fn name(&self, id: CulpritId) -> String {
        match self.0.get(&id).map(|culprit| &**culprit) {
            None => "other".to_owned(),
            Some(Culprit::Holder { lock, thread }) => {
                format!("{} held by {}", self::lock(lock), self::thread(thread))
            }
            Some(Culprit::Runner {
                thread,
                cgroup,
                kin,
            }) => {
                let kin = match kin {
                    Kin::Own => "same process",
                    Kin::Cgroup => "same cgroup",
                    Kin::Neighbour => "another cgroup",
                    Kin::Kernel => "kernel",
                };
                let of = if cgroup.is_empty() { "" } else { ", " };
                format!("{} ({kin}{of}{cgroup})", self::thread(thread))
            }
            Some(Culprit::Quota { cgroup }) => format!("quota of {cgroup}"),
            Some(Culprit::Call { name, object }) => match object {
                Object::None => name.clone(),
                Object::Pipe { inode, others } => {
                    format!("{name} pipe:[{inode}] with {}", others.join(", "))
                }
                Object::Socket { peer } => format!("{name} socket to {peer}"),
                Object::File { path } => format!("{name} {path}"),
                Object::Other(what) => format!("{name} {what}"),
            },
        }
    }
}

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
