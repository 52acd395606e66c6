//! Who or what made the ingest thread wait.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::domain::matrix::Part;

/// A thread, by its number in the initial PID namespace and its name at the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ThreadName {
    /// Thread id.
    pub tid: u32,
    /// Its process (thread group id); 0 when not known.
    pub pid: u32,
    /// `comm`, at most 15 characters; empty when not known.
    pub comm: String,
}

/// What a futex(2) wait was for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lock {
    /// CPython's global interpreter lock: the futex lies in `_PyRuntime`.
    Gil,
    /// Another one, by its address in the process.
    Futex {
        /// User address of the futex word.
        address: u64,
    },
}

/// How a thread that had the CPU belongs to the one that waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunnerRelation {
    /// The same process.
    SameProcess,
    /// Another process of the same cgroup (pod).
    SameCgroup,
    /// Another cgroup.
    OtherCgroup,
    /// A thread of the kernel.
    Kernel,
}

/// What a blocking system call was on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallObject {
    /// Nothing, or nothing that could be found out.
    None,
    /// A pipe and the other processes that have it open (`name/pid`).
    Pipe {
        /// Its inode.
        inode: u64,
        /// Who has its other end.
        others: Vec<String>,
    },
    /// A socket and its peer (`127.0.0.1:5432`, `unix`).
    Socket {
        /// The peer.
        peer: String,
    },
    /// A file.
    File {
        /// Its path in the process's mount namespace.
        path: String,
    },
    /// Anything else, by what /proc calls it (`anon_inode:[eventpoll]`).
    Other(String),
}

/// Who or what a wait is charged to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Culprit {
    /// Lock-wait: the thread whose release ended it.
    Holder {
        /// The lock.
        lock: Lock,
        /// Who released it.
        thread: ThreadName,
    },
    /// Run queue: the thread that had the CPU.
    Runner {
        /// Who ran.
        thread: ThreadName,
        /// Its cgroup's path below the cgroup mount; empty when not known.
        cgroup: String,
        /// Whose it is.
        relation: RunnerRelation,
    },
    /// Throttle: the cgroup whose quota ran out, by its path below the cgroup mount.
    Quota {
        /// The path.
        cgroup: String,
    },
    /// Blocked: the system call and what it was on.
    Call {
        /// The call's name (`write`); `page fault` outside of one.
        name: String,
        /// What it was on.
        object: CallObject,
    },
}

impl Culprit {
    /// The thread, where it is one.
    #[must_use]
    pub const fn thread(&self) -> Option<&ThreadName> {
        match self {
            Self::Holder { thread, .. } | Self::Runner { thread, .. } => Some(thread),
            Self::Quota { .. } | Self::Call { .. } => None,
        }
    }
}

/// Stands for a [`Culprit`] in what is told often; its meaning is told before its first use, once,
/// as [`super::Update::Culprit`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct CulpritId(pub u32);

impl CulpritId {
    /// All that is not kept apart: waits too short to be told one by one, and culprits beyond the
    /// number kept.
    pub const OTHER: Self = Self(0);
}

/// A part of a message's age and who is charged with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The part.
    pub part: Part,
    /// To whom.
    pub culprit: CulpritId,
    /// How much of the message's age, nanoseconds.
    pub ns: u64,
    /// How much of that while the message was held back at the sender, nanoseconds.
    pub held_back_ns: u64,
}

/// One wait of a watched thread that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Who waited.
    pub tid: u32,
    /// In which state.
    pub part: Part,
    /// Who or what for. A wait of several culprits (run queue) is told once for each.
    pub culprit: CulpritId,
    /// When it began, `CLOCK_MONOTONIC` ns.
    pub from_ns: u64,
    /// When it was over.
    pub to_ns: u64,
    /// How much of it is this culprit's, ns; at most `to_ns - from_ns`.
    pub ns: u64,
    /// Lock-wait: how often a timer interrupted it before the release (CPython: switch intervals).
    pub timeouts: u32,
}

/// A function of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Function {
    /// Its name (`JSONEncoder.encode`).
    pub name: String,
    /// Where it is: file and first line (`json/encoder.py:183`).
    pub location: String,
}

/// What a thread was doing at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ThreadActivity {
    /// Its state, in the words for the ingest thread's: on-cpu, run-queue, lock-wait, blocked;
    /// unknown where /proc has to tell and says only that it could run.
    pub state: Part,
    /// The system call it slept in; `None` when it did not sleep.
    pub call: Option<String>,
    /// The function it was in; `None` when not known.
    pub function: Option<Function>,
}

/// What the holder of a lock was doing at one instant of a watched thread's wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderSample {
    /// When, `CLOCK_MONOTONIC` ns.
    pub at_ns: u64,
    /// Who waited.
    pub waiter: u32,
    /// The lock and who held it.
    pub culprit: CulpritId,
    /// What its holder was doing.
    pub activity: ThreadActivity,
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.location)
    }
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

/// As in "lock-wait: the GIL, held by processor/412".
impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holder { lock, thread } if thread.tid == 0 => {
                write!(f, "{lock}, not seen who released it")
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
