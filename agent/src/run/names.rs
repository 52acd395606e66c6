//! What culprits are called, from /proc.

use std::fs;

use crate::{
    blame::{Describe, Key},
    model::{Culprit, Kin, Lock, Object, ThreadName},
};

/// Reads /proc when a culprit is seen for the first time.
#[derive(Debug, Default)]
pub(super) struct Names;

fn thread(tid: u32, pid: u32) -> ThreadName {
    let comm = if tid == 0 {
        "idle".to_owned()
    } else {
        let read = fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm"));
        read.map_or_else(|_| String::new(), |comm| comm.trim_end().to_owned())
    };
    ThreadName { tid, pid, comm }
}

impl Describe for Names {
    fn describe(&mut self, key: &Key) -> Culprit {
        match key {
            Key::Holder {
                address,
                tid,
                holder_pid,
                ..
            } => Culprit::Holder {
                lock: Lock::Futex { address: *address },
                thread: thread(*tid, *holder_pid),
            },
            Key::Runner {
                pid,
                tid,
                runner_pid,
            } => Culprit::Runner {
                thread: thread(*tid, *runner_pid),
                cgroup: String::new(),
                kin: if pid == runner_pid {
                    Kin::Own
                } else {
                    Kin::Neighbour
                },
            },
            Key::Quota(cgroup) => Culprit::Quota {
                cgroup: cgroup.clone(),
            },
            Key::Call { number, .. } => Culprit::Call {
                name: number.to_string(),
                object: Object::None,
            },
        }
    }
}
