//! Ids of culprits.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use lru::LruCache;

use crate::domain::{Culprit, CulpritId, Part};

/// Keys retained at a time.
const MAX_KEYS: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// What identifies a culprit in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CulpritKey {
    /// A lock of a process and its releaser.
    Holder {
        /// Process of the waiter.
        pid: u32,
        /// Address of the futex word.
        address: u64,
        /// Thread id of the releaser; 0 when it was not observed.
        tid: u32,
        /// Process of the releaser.
        holder_pid: u32,
    },
    /// A thread that ran on a CPU.
    Runner {
        /// Process of the waiter.
        pid: u32,
        /// Thread id; 0 when the CPU was idle.
        tid: u32,
        /// Process of the thread.
        runner_pid: u32,
    },
    /// A cgroup that used up its quota, by its path below the cgroup mount.
    Quota(String),
    /// A blocking system call.
    Call {
        /// Process of the caller.
        pid: u32,
        /// Number of the call; -1 for an exception such as a page fault.
        number: i64,
        /// Its first argument.
        argument: u64,
    },
}

impl CulpritKey {
    /// The part that such a culprit is charged with.
    #[must_use]
    pub(crate) const fn part(&self) -> Part {
        match self {
            Self::Holder { .. } => Part::LockWait,
            Self::Runner { .. } => Part::RunQueue,
            Self::Quota(_) => Part::Throttle,
            Self::Call { .. } => Part::Blocked,
        }
    }
}

/// A culprit that has an id.
#[derive(Debug)]
struct IdentifiedCulprit {
    culprit: Arc<Culprit>,
    /// Number of keys that resolve to it.
    keys: usize,
}

/// The latest culprits and their ids.
#[derive(Debug)]
pub(super) struct CulpritTable {
    by_key: LruCache<CulpritKey, CulpritId>,
    /// Two keys can resolve to the same culprit: a file that is open twice.
    by_culprit: HashMap<Arc<Culprit>, CulpritId>,
    by_id: HashMap<CulpritId, IdentifiedCulprit>,
    last_id: u32,
}

impl Default for CulpritTable {
    fn default() -> Self {
        Self {
            by_key: LruCache::new(MAX_KEYS),
            by_culprit: HashMap::new(),
            by_id: HashMap::new(),
            last_id: 0,
        }
    }
}

/// A change of what an id stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum CulpritChange<'a> {
    /// It stands for this culprit from now on.
    Registered(CulpritId, &'a Arc<Culprit>),
    /// It is not used any more.
    Retired(CulpritId),
}

impl CulpritTable {
    /// The id of a culprit. A new key is resolved; when there is no room for it, the least recently
    /// used key is dropped. `emit` gets the changes of ids that follow.
    pub(super) fn id(
        &mut self,
        key: &CulpritKey,
        resolve: impl FnOnce(&CulpritKey) -> Culprit,
        emit: &mut dyn FnMut(CulpritChange<'_>),
    ) -> CulpritId {
        if let Some(&id) = self.by_key.get(key) {
            return id;
        }
        if self.by_key.len() >= MAX_KEYS.get()
            && let Some((_, id)) = self.by_key.pop_lru()
        {
            self.drop_key(id, emit);
        }
        let culprit = Arc::new(resolve(key));
        let id = match self.by_culprit.get(&culprit) {
            Some(&id) => id,
            None => self.register(&culprit, emit),
        };
        if let Some(identified) = self.by_id.get_mut(&id) {
            identified.keys += 1;
        }
        self.by_key.put(key.clone(), id);
        id
    }

    fn register(
        &mut self,
        culprit: &Arc<Culprit>,
        emit: &mut dyn FnMut(CulpritChange<'_>),
    ) -> CulpritId {
        // 0 is CulpritId::OTHER.
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let id = CulpritId(self.last_id);
        self.by_culprit.insert(Arc::clone(culprit), id);
        let identified = IdentifiedCulprit {
            culprit: Arc::clone(culprit),
            keys: 0,
        };
        self.by_id.insert(id, identified);
        emit(CulpritChange::Registered(id, culprit));
        id
    }

    fn drop_key(&mut self, id: CulpritId, emit: &mut dyn FnMut(CulpritChange<'_>)) {
        let Some(identified) = self.by_id.get_mut(&id) else {
            return;
        };
        identified.keys -= 1;
        if identified.keys == 0
            && let Some(identified) = self.by_id.remove(&id)
        {
            self.by_culprit.remove(&identified.culprit);
            emit(CulpritChange::Retired(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_culprit_is_registered_once() {
        let mut culprits = CulpritTable::default();
        let mut registered = Vec::new();
        let mut id = |key: &CulpritKey, cgroup: &str| {
            let resolve = |_: &CulpritKey| Culprit::Quota {
                cgroup: cgroup.to_owned(),
            };
            culprits.id(key, resolve, &mut |change| match change {
                CulpritChange::Registered(id, _) => registered.push(id),
                CulpritChange::Retired(id) => panic!("{id:?} is retired"),
            })
        };
        let first = id(&CulpritKey::Quota("/a".into()), "/a");
        assert_eq!(id(&CulpritKey::Quota("/a".into()), "/a"), first);
        assert_ne!(id(&CulpritKey::Quota("/b".into()), "/b"), first);
        assert_eq!(id(&CulpritKey::Quota("/a/".into()), "/a"), first);
        assert_eq!(registered.len(), 2);
    }

    #[test]
    fn the_least_recently_used_keys_make_room() {
        let mut culprits = CulpritTable::default();
        let (mut registered, mut retired) = (0, 0);
        let mut id = |n: u64| {
            let key = CulpritKey::Call {
                pid: 1,
                number: 1,
                argument: n,
            };
            // Two keys each resolve to the same culprit.
            let resolve = |_: &CulpritKey| Culprit::Quota {
                cgroup: (n / 2).to_string(),
            };
            culprits.id(&key, resolve, &mut |change| match change {
                CulpritChange::Registered(..) => registered += 1,
                CulpritChange::Retired(_) => retired += 1,
            })
        };
        let most = MAX_KEYS.get() as u64;
        let first = id(0);
        for n in 1..2 * most {
            id(n);
            // Used all the time.
            assert_eq!(id(0), first);
        }
        assert_eq!(registered, most);
        // Half of the keys resolve to the same as the other half, and the first one is still there.
        assert_eq!(registered - retired, most / 2 + 1);
        assert_eq!(culprits.by_id.len() as u64, most / 2 + 1);
        assert_eq!(culprits.by_culprit.len() as u64, most / 2 + 1);
    }
}
