//! What culprits are called.

use std::{io, num::NonZeroU32};

use crate::{
    attribution::{CulpritKey, CulpritResolver},
    domain::{Culprit, Lock, ThreadName},
    host::Host,
};

/// Asks the machine when a culprit is seen for the first time.
pub(super) struct Names(pub(super) Host);

impl Names {
    /// The files of these processes are looked through now: later, messages would wait for it.
    pub(super) fn new(pids: &[NonZeroU32]) -> io::Result<Self> {
        let mut host = Host::new()?;
        for pid in pids {
            host.find_runtime(pid.get());
        }
        Ok(Self(host))
    }
}

impl CulpritResolver for Names {
    fn resolve(&mut self, key: &CulpritKey) -> Culprit {
        match *key {
            CulpritKey::Holder {
                pid,
                address,
                tid: 0,
                ..
            } => Culprit::Holder {
                lock: if self.0.is_gil(pid, address) {
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
            } => self.0.holder(pid, address, tid),
            CulpritKey::Runner { pid, tid, .. } => self.0.runner(tid, pid),
            CulpritKey::Quota(ref cgroup) => Culprit::Quota {
                cgroup: cgroup.clone(),
            },
            CulpritKey::Call {
                pid,
                number,
                argument,
            } => self.0.call(pid, number, argument),
        }
    }
}
