//! Numbers for culprits, given out once.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use lru::LruCache;

use crate::domain::{Culprit, CulpritId, Part};

/// Culprits told apart at a time.
const MOST: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// What tells culprits apart, as the kernel knows them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CulpritKey {
    /// A lock of a process and the thread that releases it; thread 0 when it is not known.
    Holder {
        /// Whose lock.
        pid: u32,
        /// Futex address.
        address: u64,
        /// The releasing thread.
        tid: u32,
        /// Its process.
        holder_pid: u32,
    },
    /// A thread that had a CPU.
    Runner {
        /// Who waited for it, a process.
        pid: u32,
        /// The thread; 0: the CPU was idle.
        tid: u32,
        /// Its process.
        runner_pid: u32,
    },
    /// A cgroup, by its path.
    Quota(String),
    /// A call of a process.
    Call {
        /// The process.
        pid: u32,
        /// Number; -1 for an exception.
        number: i64,
        /// First argument.
        argument: u64,
    },
}

impl CulpritKey {
    /// The part such a culprit is charged with.
    #[must_use]
    pub const fn part(&self) -> Part {
        match self {
            Self::Holder { .. } => Part::LockWait,
            Self::Runner { .. } => Part::RunQueue,
            Self::Quota(_) => Part::Throttle,
            Self::Call { .. } => Part::Blocked,
        }
    }
}

/// One number's.
#[derive(Debug)]
struct Given {
    culprit: Arc<Culprit>,
    /// How many keys stand for it.
    keys: usize,
}

/// The culprits seen last.
#[derive(Debug)]
pub struct Culprits {
    known: LruCache<CulpritKey, CulpritId>,
    /// Descriptions and their numbers: two keys can mean the same (a file opened twice).
    meant: HashMap<Arc<Culprit>, CulpritId>,
    given: HashMap<CulpritId, Given>,
    last: u32,
}

impl Default for Culprits {
    fn default() -> Self {
        Self {
            known: LruCache::new(MOST),
            meant: HashMap::new(),
            given: HashMap::new(),
            last: 0,
        }
    }
}

/// What is to be known of a number.
#[derive(Clone, Copy, Debug)]
pub enum CulpritChange<'a> {
    /// It stands for this from now on.
    Is(CulpritId, &'a Arc<Culprit>),
    /// It is not used any more.
    Gone(CulpritId),
}

impl Culprits {
    /// The number of a culprit; `resolve` is asked and `tell` told of a new one, and of the one
    /// that was not seen for longest and makes room for it.
    pub fn id(
        &mut self,
        key: &CulpritKey,
        resolve: impl FnOnce(&CulpritKey) -> Culprit,
        tell: &mut dyn FnMut(CulpritChange<'_>),
    ) -> CulpritId {
        if let Some(&id) = self.known.get(key) {
            return id;
        }
        if self.known.len() >= MOST.get()
            && let Some((_, gone)) = self.known.pop_lru()
        {
            self.drop_key(gone, tell);
        }
        let culprit = Arc::new(resolve(key));
        let id = match self.meant.get(&culprit) {
            Some(&id) => id,
            None => self.give(&culprit, tell),
        };
        if let Some(given) = self.given.get_mut(&id) {
            given.keys += 1;
        }
        self.known.put(key.clone(), id);
        id
    }

    fn give(
        &mut self,
        culprit: &Arc<Culprit>,
        tell: &mut dyn FnMut(CulpritChange<'_>),
    ) -> CulpritId {
        // 0 is the others' number.
        self.last = self.last.checked_add(1).unwrap_or(1);
        let id = CulpritId(self.last);
        self.meant.insert(Arc::clone(culprit), id);
        let given = Given {
            culprit: Arc::clone(culprit),
            keys: 0,
        };
        self.given.insert(id, given);
        tell(CulpritChange::Is(id, culprit));
        id
    }

    fn drop_key(&mut self, id: CulpritId, tell: &mut dyn FnMut(CulpritChange<'_>)) {
        let Some(given) = self.given.get_mut(&id) else {
            return;
        };
        given.keys -= 1;
        if given.keys == 0
            && let Some(given) = self.given.remove(&id)
        {
            self.meant.remove(&given.culprit);
            tell(CulpritChange::Gone(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_culprit_is_told_once() {
        let mut culprits = Culprits::default();
        let mut told = Vec::new();
        let mut id = |key: &CulpritKey, cgroup: &str| {
            let resolve = |_: &CulpritKey| Culprit::Quota {
                cgroup: cgroup.to_owned(),
            };
            culprits.id(key, resolve, &mut |news| match news {
                CulpritChange::Is(id, _) => told.push(id),
                CulpritChange::Gone(id) => panic!("{id:?} is gone"),
            })
        };
        let first = id(&CulpritKey::Quota("/a".into()), "/a");
        assert_eq!(id(&CulpritKey::Quota("/a".into()), "/a"), first);
        assert_ne!(id(&CulpritKey::Quota("/b".into()), "/b"), first);
        assert_eq!(id(&CulpritKey::Quota("/a/".into()), "/a"), first);
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn those_not_seen_for_longest_make_room() {
        let mut culprits = Culprits::default();
        let (mut told, mut gone) = (0, 0);
        let mut id = |n: u64| {
            let key = CulpritKey::Call {
                pid: 1,
                number: 1,
                argument: n,
            };
            // Two keys each mean the same.
            let resolve = |_: &CulpritKey| Culprit::Quota {
                cgroup: (n / 2).to_string(),
            };
            culprits.id(&key, resolve, &mut |news| match news {
                CulpritChange::Is(..) => told += 1,
                CulpritChange::Gone(_) => gone += 1,
            })
        };
        let most = MOST.get() as u64;
        let first = id(0);
        for n in 1..2 * most {
            id(n);
            // Seen all the time.
            assert_eq!(id(0), first);
        }
        assert_eq!(told, most);
        // Half of what is known means the same as the other half, and what was first is still
        // there.
        assert_eq!(told - gone, most / 2 + 1);
        assert_eq!(culprits.given.len() as u64, most / 2 + 1);
        assert_eq!(culprits.meant.len() as u64, most / 2 + 1);
    }
}
