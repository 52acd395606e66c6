//! Numbers for culprits, given out once.

use std::{collections::HashMap, sync::Arc};

use crate::model::{Culprit, CulpritId, Part};

/// Culprits told apart in a run; those beyond count as other.
const MOST: usize = 4096;

/// What tells culprits apart, as the kernel knows them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
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

impl Key {
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

/// All culprits so far.
#[derive(Debug, Default)]
pub struct Culprits {
    known: HashMap<Key, CulpritId>,
    /// Descriptions and their numbers: two keys can mean the same (a file opened twice).
    meant: HashMap<Arc<Culprit>, CulpritId>,
    given: u32,
}

impl Culprits {
    /// The number of a culprit; `describe` is asked and `tell` told of a new one.
    pub fn id(
        &mut self,
        key: &Key,
        describe: impl FnOnce(&Key) -> Culprit,
        tell: &mut dyn FnMut(CulpritId, &Arc<Culprit>),
    ) -> CulpritId {
        if let Some(&id) = self.known.get(key) {
            return id;
        }
        if self.known.len() >= MOST {
            return CulpritId::OTHER;
        }
        let culprit = Arc::new(describe(key));
        let id = *self.meant.entry(Arc::clone(&culprit)).or_insert_with(|| {
            self.given += 1;
            let id = CulpritId(self.given);
            tell(id, &culprit);
            id
        });
        self.known.insert(key.clone(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_culprit_is_told_once() {
        let mut culprits = Culprits::default();
        let mut told = Vec::new();
        let mut id = |key: &Key, cgroup: &str| {
            let describe = |_: &Key| Culprit::Quota {
                cgroup: cgroup.to_owned(),
            };
            culprits.id(key, describe, &mut |id, _| told.push(id))
        };
        let first = id(&Key::Quota("/a".into()), "/a");
        assert_eq!(id(&Key::Quota("/a".into()), "/a"), first);
        assert_ne!(id(&Key::Quota("/b".into()), "/b"), first);
        assert_eq!(id(&Key::Quota("/a/".into()), "/a"), first);
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn beyond_the_most_all_are_other() {
        let mut culprits = Culprits::default();
        for i in 0..2 * MOST as u64 {
            let key = Key::Call {
                pid: 1,
                number: 1,
                argument: i,
            };
            let describe = |_: &Key| Culprit::Quota {
                cgroup: i.to_string(),
            };
            let id = culprits.id(&key, describe, &mut |_, _| ());
            assert_eq!(id == CulpritId::OTHER, i >= MOST as u64);
        }
    }
}
