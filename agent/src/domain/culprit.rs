//! Who or what made the reader wait.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::domain::matrix::Part;

/// A thread and the name it had when it was resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ThreadName {
    /// Thread id in the initial PID namespace; 0 stands for the idle CPU.
    pub tid: u32,
    /// Thread group id of its process; 0 when not resolved.
    pub pid: u32,
    /// `comm`, at most 15 characters; empty when not resolved.
    pub comm: String,
}

/// What a futex(2) wait was for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lock {
    /// CPython's global interpreter lock: the futex lies in `_PyRuntime`.
    Gil,
    /// Any other lock.
    Futex {
        /// Address of the futex word in the process.
        address: u64,
    },
}

/// How a thread that ran on a CPU is related to the process of the thread that waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunnerRelation {
    /// A thread of the same process.
    SameProcess,
    /// Another process of the same cgroup (pod).
    SameCgroup,
    /// A process of another cgroup.
    OtherCgroup,
    /// A kernel thread.
    Kernel,
}

/// What a blocking system call was on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallObject {
    /// The call has no object, or it could not be resolved.
    None,
    /// A pipe.
    Pipe {
        /// Its inode.
        inode: u64,
        /// The other processes that have it open, as `name/pid`.
        others: Vec<String>,
    },
    /// A socket.
    Socket {
        /// Its peer (`127.0.0.1:5432`, `unix`).
        peer: String,
    },
    /// A file.
    File {
        /// Its path in the mount namespace of the process.
        path: String,
    },
    /// Anything else, as the link in /proc/PID/fd reads (`anon_inode:[eventpoll]`).
    Other(String),
}

/// Who or what a wait is charged to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Culprit {
    /// Lock-wait: the thread whose release ended the wait.
    Holder {
        /// The lock.
        lock: Lock,
        /// The releaser.
        thread: ThreadName,
    },
    /// Run queue: a thread that ran on the CPU meanwhile.
    Runner {
        /// The thread.
        thread: ThreadName,
        /// Path of its cgroup below the cgroup mount; empty when not resolved.
        cgroup: String,
        /// Its relation to the waiting process.
        relation: RunnerRelation,
    },
    /// Throttle: the cgroup whose quota was used up.
    Quota {
        /// Its path below the cgroup mount.
        cgroup: String,
    },
    /// Blocked: the system call and its object.
    Call {
        /// Name of the call (`write`); `page fault` outside of system calls.
        name: String,
        /// What the call was on.
        object: CallObject,
    },
}

impl Culprit {
    /// The thread, for culprits that are one.
    #[must_use]
    pub const fn thread(&self) -> Option<&ThreadName> {
        match self {
            Self::Holder { thread, .. } | Self::Runner { thread, .. } => Some(thread),
            Self::Quota { .. } | Self::Call { .. } => None,
        }
    }
}

/// Stands for a [`Culprit`] in frequent updates. [`super::Update::Culprit`] defines an id once,
/// before its first use.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct CulpritId(pub u32);

impl CulpritId {
    /// Everything that is charged to no single culprit: waits too short to be reported one by
    /// one, and culprits beyond the number that is retained.
    pub const OTHER: Self = Self(0);
}

/// The time of one message that one culprit is charged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The part of the age.
    pub part: Part,
    /// The culprit.
    pub culprit: CulpritId,
    /// Its share of the message's age, nanoseconds.
    pub ns: u64,
    /// The part of `ns` during which the message was held back at the sender, nanoseconds.
    pub held_back_ns: u64,
}

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tid, self.comm.as_str()) {
            (0, _) => f.write_str("the idle CPU"),
            (tid, "") => write!(f, "thread {tid}"),
            (tid, comm) => write!(f, "{comm}/{tid}"),
        }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gil => f.write_str("the GIL"),
            Self::Futex { address } => write!(f, "lock {address:#x}"),
        }
    }
}

impl fmt::Display for CallObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Pipe { inode, others } if others.is_empty() => write!(f, " on pipe {inode}"),
            Self::Pipe { others, .. } => write!(f, " on a pipe to {}", others.join(", ")),
            Self::Socket { peer } => write!(f, " on a socket to {peer}"),
            Self::File { path } => write!(f, " on {path}"),
            Self::Other(what) => write!(f, " on {what}"),
        }
    }
}

/// Written after the part, as in "lock-wait: the GIL, held by processor/412".
impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holder { lock, thread } if thread.tid == 0 => {
                write!(f, "{lock}, releaser not observed")
            }
            Self::Holder { lock, thread } => write!(f, "{lock}, held by {thread}"),
            Self::Runner {
                thread,
                cgroup,
                relation,
            } => {
                write!(f, "{thread}")?;
                match relation {
                    RunnerRelation::SameProcess => f.write_str(" of the same process"),
                    RunnerRelation::SameCgroup => f.write_str(" of the same cgroup"),
                    RunnerRelation::Kernel => f.write_str(" of the kernel"),
                    RunnerRelation::OtherCgroup if cgroup.is_empty() => Ok(()),
                    RunnerRelation::OtherCgroup => write!(f, " of {cgroup}"),
                }
            }
            Self::Quota { cgroup } => write!(f, "the quota of {cgroup}"),
            Self::Call { name, object } => write!(f, "{name}{object}"),
        }
    }
}
