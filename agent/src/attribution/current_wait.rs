//! Who or what a reader waits for while the wait goes on.
//!
//! The releaser of a lock is known when the wait is over, and the wait is then charged to it. Until
//! then the owner of the lock is read from the lock itself where that says so (a mutex of glibc, a
//! PI futex); otherwise the thread that released the lock last is named as likely.

use super::culprits::CulpritKey;
use crate::domain::{OwnerEvidence, SleepObject, ThreadName};

/// Locks followed from owner to owner in the search for a cycle, at most.
const MAX_CHAIN: usize = 16;

/// A lock that a thread waits for: process and address of its futex.
type LockAt = (u32, u64);

/// Reads locks and threads as they are now. By default nothing is known of them.
pub(crate) trait LockReader {
    /// The thread that owns the lock at this address of a process, by what the lock itself says.
    fn owner_of(&mut self, _pid: u32, _address: u64) -> Option<u32> {
        None
    }

    /// The address of the lock that a thread of a process waits for now.
    fn lock_awaited_by(&mut self, _pid: u32, _tid: u32) -> Option<u64> {
        None
    }

    /// The name of a thread.
    fn name_of(&mut self, tid: u32) -> ThreadName {
        ThreadName {
            tid,
            pid: 0,
            comm: String::new(),
        }
    }
}

/// The owner of a lock as far as it is known now.
#[derive(Debug, Default)]
pub(super) struct LockOwner {
    /// Thread id and process; (0, 0) when it is not known.
    pub(super) thread: (u32, u32),
    pub(super) evidence: OwnerEvidence,
    /// The owners from the reader's lock on, when the last of them waits for the reader.
    pub(super) deadlock: Vec<ThreadName>,
}

impl LockOwner {
    /// The owner of the lock that `waiter` waits for; `last` is who released it last.
    pub(super) fn find(
        waiter: u32,
        (pid, address): LockAt,
        last: Option<(u32, u32)>,
        locks: &mut dyn LockReader,
    ) -> Self {
        let Some(owner) = locks.owner_of(pid, address) else {
            return last.map_or_else(Self::default, |thread| Self {
                thread,
                evidence: OwnerEvidence::LastRelease,
                deadlock: Vec::new(),
            });
        };
        Self {
            thread: (owner, pid),
            evidence: OwnerEvidence::Lock,
            deadlock: cycle(waiter, owner, pid, locks),
        }
    }

    /// What is charged with the wait so far.
    pub(super) const fn key(&self, (pid, address): LockAt) -> CulpritKey {
        CulpritKey::Holder {
            pid,
            address,
            tid: self.thread.0,
            holder_pid: self.thread.1,
        }
    }
}

/// The threads from `owner` on, each of which waits for a lock of the next, when the last of them
/// waits for one of `waiter`; else none.
fn cycle(waiter: u32, owner: u32, pid: u32, locks: &mut dyn LockReader) -> Vec<ThreadName> {
    if owner == waiter {
        // It has locked what it holds already.
        return vec![locks.name_of(owner)];
    }
    let mut threads = vec![owner];
    while let Some(&tid) = threads.last() {
        let next = locks
            .lock_awaited_by(pid, tid)
            .and_then(|address| locks.owner_of(pid, address));
        match next {
            Some(next) if next == waiter => {
                return threads.into_iter().map(|tid| locks.name_of(tid)).collect();
            }
            Some(next) if threads.len() < MAX_CHAIN && !threads.contains(&next) => {
                threads.push(next);
            }
            _ => break,
        }
    }
    Vec::new()
}

/// The key of what a sleep is on, when it is a system call.
pub(super) const fn call_key(sleep: SleepObject) -> Option<CulpritKey> {
    match sleep {
        SleepObject::Call {
            pid,
            number,
            argument,
        } => Some(CulpritKey::Call {
            pid,
            number,
            argument,
        }),
        SleepObject::Lock { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Owners by lock, and the lock each thread waits for.
    struct Locks {
        owners: HashMap<u64, u32>,
        awaited: HashMap<u32, u64>,
    }

    impl LockReader for Locks {
        fn owner_of(&mut self, _pid: u32, address: u64) -> Option<u32> {
            self.owners.get(&address).copied()
        }

        fn lock_awaited_by(&mut self, _pid: u32, tid: u32) -> Option<u64> {
            self.awaited.get(&tid).copied()
        }
    }

    fn find(owners: &[(u64, u32)], awaited: &[(u32, u64)], last: Option<(u32, u32)>) -> LockOwner {
        let mut locks = Locks {
            owners: owners.iter().copied().collect(),
            awaited: awaited.iter().copied().collect(),
        };
        LockOwner::find(7, (1, 0x10), last, &mut locks)
    }

    fn tids(owner: &LockOwner) -> Vec<u32> {
        owner.deadlock.iter().map(|thread| thread.tid).collect()
    }

    #[test]
    fn the_lock_itself_is_believed_before_the_last_release() {
        let owner = find(&[(0x10, 8)], &[], Some((9, 1)));
        assert_eq!(
            (owner.thread, owner.evidence),
            ((8, 1), OwnerEvidence::Lock)
        );
        assert!(owner.deadlock.is_empty());
        let owner = find(&[], &[], Some((9, 1)));
        assert_eq!(
            (owner.thread, owner.evidence),
            ((9, 1), OwnerEvidence::LastRelease)
        );
        let owner = find(&[], &[], None);
        assert_eq!(
            (owner.thread, owner.evidence),
            ((0, 0), OwnerEvidence::None)
        );
    }

    #[test]
    fn a_cycle_of_owners_is_a_deadlock() {
        let owner = find(&[(0x10, 8), (0x20, 7)], &[(8, 0x20)], None);
        assert_eq!(tids(&owner), [8]);
        let owners = [(0x10, 8), (0x20, 9), (0x30, 7)];
        assert_eq!(tids(&find(&owners, &[(8, 0x20), (9, 0x30)], None)), [8, 9]);
    }

    #[test]
    fn only_a_chain_that_comes_back_is_a_deadlock() {
        // The owner waits for a lock of a third thread, which runs.
        assert!(tids(&find(&[(0x10, 8), (0x20, 9)], &[(8, 0x20)], None)).is_empty());
        // A deadlock of others, which the reader only waits for.
        let owners = [(0x10, 8), (0x20, 9), (0x30, 8)];
        assert!(tids(&find(&owners, &[(8, 0x20), (9, 0x30)], None)).is_empty());
        // The waiter has the lock itself: a deadlock of one.
        let owner = find(&[(0x10, 7)], &[], Some((9, 1)));
        assert_eq!((owner.thread.0, owner.evidence), (7, OwnerEvidence::Lock));
        assert_eq!(tids(&owner), [7]);
    }
}
