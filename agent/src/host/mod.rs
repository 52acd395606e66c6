//! Who is who on this machine: read from /proc and the cgroup file systems, never per event.
//!
//! Everything here is looked up when something has to be told, remembered in bounded tables and looked
//! at again after seconds; a process may have ended or changed by then, and what cannot be found out is
//! said to be unknown and counted.

mod calls;
mod cgroups;
mod memory;
mod names;
mod objects;
mod pipes;
mod proc;
mod python;
mod sockets;
mod symbols;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fs, io, sync::Arc};

use self::{
    cgroups::Hierarchies, names::Names, objects::Objects, proc::Proc, python::NoFunction,
    symbols::Symbols,
};
use crate::model::{CgroupUse, Culprit, Kin, Lock, Object, Sample, ThreadName};

pub use self::{
    cgroups::{CgroupError, ran_out},
    objects::ObjectCounts,
    python::Refusal,
};

/// How often something could not be found out, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// What calls were on.
    pub objects: ObjectCounts,
    /// Mapped files that could not be read when CPython was looked for.
    pub unreadable_files: u64,
    /// Samples of which the thread had ended.
    pub samples_gone: u64,
    /// Samples without a function because the memory changed while it was read.
    pub samples_inconsistent: u64,
    /// Samples without a function because its CPython is not read ([`Host::refusals`]).
    pub samples_refused: u64,
}

/// What is known of the machine the agent runs on.
#[derive(Debug)]
pub struct Host {
    proc: Proc,
    hierarchies: Arc<Hierarchies>,
    names: Names,
    objects: Objects,
    symbols: Symbols,
    refusals: BTreeSet<String>,
    counts: HostCounts,
}

impl Host {
    /// Looks where cgroups are mounted.
    ///
    /// # Errors
    /// When /proc/self/mountinfo cannot be read.
    pub fn new() -> io::Result<Self> {
        let proc = Proc::default();
        let hierarchies = Arc::new(Hierarchies::read(&proc)?);
        Ok(Self {
            names: Names::new(proc.clone(), Arc::clone(&hierarchies)),
            objects: Objects::new(proc.clone()),
            symbols: Symbols::new(proc.clone()),
            refusals: BTreeSet::new(),
            counts: HostCounts::default(),
            hierarchies,
            proc,
        })
    }

    /// A thread's name and process; that of an ended one for a minute, if it was known. Otherwise empty.
    pub fn thread(&mut self, tid: u32) -> ThreadName {
        self.names.thread(tid)
    }

    /// How a thread belongs to a watched process. In Kubernetes the same pod is the same cgroup; the
    /// root cgroup is nobody's in particular.
    pub fn kin(&mut self, tid: u32, watched: u32) -> Kin {
        self.names.kin(tid, watched)
    }

    /// Who had the CPU a thread of a watched process waited for.
    pub fn runner(&mut self, tid: u32, watched: u32) -> Culprit {
        Culprit::Runner {
            thread: self.names.thread(tid),
            cgroup: self.names.cgroup(tid),
            kin: self.names.kin(tid, watched),
        }
    }

    /// Who released the lock at `address` in the process of the thread that waited for it.
    pub fn holder(&mut self, pid: u32, address: u64, tid: u32) -> Culprit {
        let lock = if self.is_gil(pid, address) {
            Lock::Gil
        } else {
            Lock::Futex { address }
        };
        Culprit::Holder {
            lock,
            thread: self.names.thread(tid),
        }
    }

    /// The call that blocked a thread of a process, by number (-1: none, a page fault) and first argument.
    pub fn call(&mut self, pid: u32, number: i64, argument: u64) -> Culprit {
        let (name, object) = self.object(pid, number, argument);
        Culprit::Call { name, object }
    }

    /// The call's name and what it was on: as it is now, after the wait.
    pub fn object(&mut self, pid: u32, number: i64, argument: u64) -> (String, Object) {
        self.objects.resolve(pid, number, argument)
    }

    /// Limits and counters of a process's cgroups, own first, read anew with each call.
    ///
    /// # Errors
    /// When there is no CPU controller, no such process, or its cgroup is not visible here.
    pub fn cgroup_use(&self, pid: u32) -> Result<CgroupUse, CgroupError> {
        self.hierarchies.used(&self.proc, pid)
    }

    /// Whether a futex of the process at this address is CPython's global interpreter lock.
    pub fn is_gil(&mut self, pid: u32, address: u64) -> bool {
        self.symbols.is_gil(pid, address)
    }

    /// What the holder of a lock is doing right now; `None` when it has ended.
    pub fn sample(&mut self, waiter: u32, holder: u32) -> Option<Sample> {
        let Some(stat) = self.proc.stat(holder) else {
            self.counts.samples_gone += 1;
            return None;
        };
        let call = fs::read_to_string(self.proc.of(holder, "syscall"))
            .ok()
            .and_then(|text| blocked_in(&text));
        let holder = self.names.thread(holder);
        Some(Sample {
            waiter,
            state: stat.state,
            call,
            function: self.function(&holder),
            holder,
        })
    }

    fn function(&mut self, thread: &ThreadName) -> Option<String> {
        let runtime = self.symbols.runtime(thread.pid)?;
        let inner = self.proc.status(thread.tid).ok()?.inner_tid()?;
        match python::function(thread.pid, inner, &runtime) {
            Ok(function) => function,
            Err(NoFunction::Refused(why)) => {
                self.counts.samples_refused += 1;
                self.refusals.insert(why.to_string());
                None
            }
            Err(NoFunction::Inconsistent(_) | NoFunction::Unreadable(_)) => {
                self.counts.samples_inconsistent += 1;
                None
            }
        }
    }

    /// Why samples have no function, each reason once.
    pub fn refusals(&self) -> impl Iterator<Item = &str> {
        self.refusals.iter().map(String::as_str)
    }

    /// How often something could not be found out.
    #[must_use]
    pub fn counts(&self) -> HostCounts {
        HostCounts {
            objects: self.objects.counts(),
            unreadable_files: self.symbols.unreadable,
            ..self.counts
        }
    }
}

/// The name of the call in the text of a `syscall`; `None` when the thread runs.
fn blocked_in(text: &str) -> Option<String> {
    let number = text.split_whitespace().next()?.parse().ok()?;
    Some(calls::name(number))
}
