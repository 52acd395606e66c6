//! Who is who on this machine: read from /proc and the cgroup file systems, never per event.
//!
//! Everything here is looked up when something has to be told, remembered in bounded tables and
//! looked at again after seconds; a process may have ended or changed by then, and what cannot be
//! found out is said to be unknown and counted.

mod cgroups;
mod container;
mod objects;
mod pipes;
mod proc;
mod python;
mod sockets;
mod syscalls;
mod threads;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fs, io, sync::Arc};

use self::{
    cgroups::{Hierarchies, Share},
    container::Place,
    objects::Objects,
    proc::Proc,
    python::{NoFunction, Symbols},
    threads::Names,
};
use crate::domain::{
    CallObject, CgroupUse, Container, Culprit, Function, Lock, Part, Pod, ProcessInfo, Qos,
    RunnerRelation, ThreadActivity, ThreadName,
};

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
    /// Mapped files that were not looked through for CPython because of their size.
    pub large_files: u64,
    /// Samples of which the thread had ended.
    pub samples_gone: u64,
    /// Samples without a function because the memory changed while it was read.
    pub samples_inconsistent: u64,
    /// Samples without a function because its CPython is not read ([`Host::refusals`]).
    pub samples_refused: u64,
}

impl HostCounts {
    /// All of them, by the names used in outputs.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let objects = self.objects;
        [
            ("object_closed", objects.closed),
            ("pipe_search_cut_short", objects.pipes_cut_short),
            ("pipe_search_deferred", objects.pipes_put_off),
            ("socket_search_cut_short", objects.sockets_cut_short),
            ("mapped_file_unreadable", self.unreadable_files),
            ("mapped_file_too_large", self.large_files),
            ("holder_gone", self.samples_gone),
            ("function_inconsistent", self.samples_inconsistent),
            ("function_refused", self.samples_refused),
        ]
        .into_iter()
    }
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

    /// A thread's name and process; that of an ended one for a minute, if it was known. Otherwise
    /// empty.
    pub fn thread(&mut self, tid: u32) -> ThreadName {
        self.names.thread(tid)
    }

    /// How a thread belongs to a watched process. In Kubernetes the same pod is the same cgroup;
    /// the root cgroup is nobody's in particular.
    pub fn relation(&mut self, tid: u32, watched: u32) -> RunnerRelation {
        self.names.relation(tid, watched)
    }

    /// Who had the CPU a thread of a watched process waited for.
    pub fn runner(&mut self, tid: u32, watched: u32) -> Culprit {
        Culprit::Runner {
            thread: self.names.thread(tid),
            cgroup: self.names.cgroup(tid),
            relation: self.names.relation(tid, watched),
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

    /// The call that blocked a thread of a process, by number (-1: none, a page fault) and first
    /// argument.
    pub fn call(&mut self, pid: u32, number: i64, argument: u64) -> Culprit {
        let (name, object) = self.object(pid, number, argument);
        Culprit::Call { name, object }
    }

    /// The call's name and what it was on: as it is now, after the wait.
    pub fn object(&mut self, pid: u32, number: i64, argument: u64) -> (String, CallObject) {
        self.objects.resolve(pid, number, argument)
    }

    /// Who a process is: asked when it begins to read a session. `None` when there is no such
    /// process.
    #[must_use]
    pub fn process(&self, pid: u32) -> Option<ProcessInfo> {
        let status = self.proc.status(pid).ok()?;
        let cgroup = fs::read_to_string(self.proc.of(pid, "cgroup")).unwrap_or_default();
        // Relative to the agent's own cgroup where it has a namespace of them, and then not whole.
        let place = match self.hierarchies.path_of(&self.proc, pid) {
            Some(path) if cgroup.contains(":/..") => Place::parse(&format!("0::{path}")),
            _ => Place::parse(&cgroup),
        };
        let (cpu_request_millis, cpu_request_between) = match self.request(&cgroup, &place) {
            Some((from, to)) if from == to => (Some(from), None),
            between => (None, between),
        };
        Some(ProcessInfo {
            pid,
            inner_pid: status.inner_tid().unwrap_or(pid),
            comm: status.name()?.to_owned(),
            container: place.container.map(|container| Container {
                id: container.id,
                runtime: container.runtime.map(str::to_owned),
                name: None,
            }),
            pod: place.pod.map(|pod| Pod {
                uid: pod.uid,
                qos: pod.qos,
                ..Pod::default()
            }),
            cpu_request_millis,
            cpu_request_between,
            cpu_limit_millis: None,
        })
    }

    /// The arguments of a process, with a space in between; `None` when there is no such process.
    #[must_use]
    pub fn command_line(&self, pid: u32) -> Option<String> {
        let bytes = fs::read(self.proc.of(pid, "cmdline")).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_end_matches('\0').replace('\0', " "))
    }

    /// The paths of a process's cgroups, one of each hierarchy, below the mounts; `None` when there
    /// is no such process.
    #[must_use]
    pub fn cgroup_paths(&self, pid: u32) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.proc.of(pid, "cgroup")).ok()?;
        let path = |line: &str| Some(line.splitn(3, ':').nth(2)?.to_owned());
        // First the one that is the same wherever the agent runs: those in the text are relative to
        // its own cgroup where it has a namespace of them.
        let own = self.hierarchies.path_of(&self.proc, pid);
        Some(
            own.into_iter()
                .chain(text.lines().filter_map(path))
                .collect(),
        )
    }

    /// The least and the most CPU that a process's container asked for, thousandths of a CPU, by
    /// what its cgroup was given. Outside of a pod shares stand for no request.
    fn request(&self, cgroup: &str, place: &Place) -> Option<(u64, u64)> {
        let (pod, container) = (place.pod.as_ref()?, place.container.as_ref()?);
        let given = self.hierarchies.given(cgroup, &container.id)?;
        match given.share {
            Share::Shares(shares) => container::millis_of_shares(shares).map(|m| (m, m)),
            Share::Weight(weight) => match (pod.qos, given.limit_millis) {
                // By definition: the requests of these are their limits.
                (Some(Qos::Guaranteed), Some(limit)) => Some((limit, limit)),
                (_, limit) => container::millis_of_weight(weight, limit),
            },
        }
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

    /// What a thread of a process is doing right now, as /proc has it; `None` when there is no such
    /// thread. That it could run is told, not whether it does: the state is then unknown.
    pub fn activity(&mut self, pid: u32, tid: u32) -> Option<ThreadActivity> {
        let Some(stat) = self.proc.stat(tid) else {
            self.counts.samples_gone += 1;
            return None;
        };
        let call = fs::read_to_string(self.proc.of(tid, "syscall"))
            .ok()
            .and_then(|text| blocked_in(&text));
        let state = match (stat.state, call.as_deref()) {
            ('R', _) => Part::Unknown,
            (_, Some("futex" | "futex_wait" | "futex_waitv")) => Part::LockWait,
            _ => Part::Blocked,
        };
        Some(ThreadActivity {
            state,
            call,
            function: self.function(pid, tid),
        })
    }

    /// The name of a system call; of -1: a page fault.
    #[must_use]
    pub fn call_name(number: i64) -> String {
        syscalls::name(number)
    }

    /// The Python function a thread of a process is in right now, without stopping it; `None` when
    /// it is in none, or when that cannot be told (counted).
    pub fn function(&mut self, pid: u32, tid: u32) -> Option<Function> {
        let runtime = self.symbols.runtime(pid)?;
        let Some(inner) = self.names.inner_tid(tid) else {
            self.counts.samples_gone += 1;
            return None;
        };
        match python::function(pid, inner, &runtime) {
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

    /// Looks through the files of a process now, so that nobody waits for it later.
    pub fn prepare(&mut self, pid: u32) {
        let _none = self.symbols.runtime(pid);
    }

    /// Begins to do so, on another thread: what is asked of the process meanwhile waits for it,
    /// nothing else does.
    pub fn prepare_aside(&mut self, pid: u32) {
        self.symbols.look_ahead(pid);
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
            unreadable_files: self.symbols.files.unreadable(),
            large_files: self.symbols.files.too_large(),
            ..self.counts
        }
    }
}

/// The name of the call in the text of a `syscall`; `None` when the thread runs.
fn blocked_in(text: &str) -> Option<String> {
    let number = text.split_whitespace().next()?.parse().ok()?;
    Some(syscalls::name(number))
}
