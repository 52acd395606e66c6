//! Culprits get their names from this machine.

use crate::{
    attribution::{CulpritKey, CulpritResolver, LockReader},
    domain::{Culprit, Lock, ThreadName},
    host::Host,
};

/// Asks the machine when a culprit appears for the first time.
impl CulpritResolver for Host {
    fn resolve(&mut self, key: &CulpritKey) -> Culprit {
        match *key {
            CulpritKey::Holder {
                pid,
                address,
                tid: 0,
                ..
            } => Culprit::Holder {
                lock: if self.is_gil(pid, address) {
                    Lock::Gil
                } else {
                    Lock::Futex { address }
                },
                thread: ThreadName {
                    tid: 0,
                    pid: 0,
                    comm: String::new(),
                },
            },
            CulpritKey::Holder {
                pid, address, tid, ..
            } => self.holder(pid, address, tid),
            CulpritKey::Runner { pid, tid, .. } => self.runner(tid, pid),
            CulpritKey::Quota(ref cgroup) => Culprit::Quota {
                cgroup: cgroup.clone(),
            },
            CulpritKey::Call {
                pid,
                number,
                argument,
            } => self.call(pid, number, argument),
        }
    }
}

impl LockReader for Host {
    fn owner_of(&mut self, pid: u32, address: u64) -> Option<u32> {
        self.lock_owner(pid, address)
    }

    fn lock_awaited_by(&mut self, _pid: u32, tid: u32) -> Option<u64> {
        self.futex_awaited(tid)
    }

    fn name_of(&mut self, tid: u32) -> ThreadName {
        self.thread(tid)
    }
}
