//! Names and states of this machine's threads, processes and cgroups: read from `/proc`, the cgroup
//! file systems and the memory of processes, never per event.
//!
//! Numbers are resolved when something has to be published. The results are retained in bounded
//! tables, and resolved again after seconds. A process may have ended or changed by then; what
//! cannot be resolved stays unknown and is counted ([`ResolveFailures`]).

mod cgroups;
mod container;
mod counts;
mod locks;
mod objects;
mod pipes;
mod proc;
mod python;
mod sockets;
mod syscalls;
#[cfg(test)]
mod tests;
mod threads;

use std::{collections::BTreeSet, fs, io, sync::Arc};

use self::{
    cgroups::{CgroupHierarchies, CpuShare},
    container::CgroupOwner,
    counts::ResolveFailures,
    objects::ObjectResolver,
    proc::ProcRoot,
    python::{FunctionError, PythonRuntimes},
    threads::ThreadResolver,
};
use crate::domain::{
    CgroupUse, Container, Culprit, Function, Lock, Part, Pod, ProcessInfo, Qos, ThreadActivity,
    ThreadName,
};

use self::cgroups::CgroupError;
pub use self::cgroups::throttled_levels;

/// The machine that the agent runs on.
#[derive(Debug)]
pub struct Host {
    proc: ProcRoot,
    hierarchies: Arc<CgroupHierarchies>,
    threads: ThreadResolver,
    objects: ObjectResolver,
    runtimes: PythonRuntimes,
    /// Why functions of threads cannot be read, each reason once.
    unsupported: BTreeSet<String>,
    failures: ResolveFailures,
}

impl Host {
    /// Reads where cgroups are mounted.
    ///
    /// # Errors
    /// When `/proc/self/mountinfo` cannot be read.
    pub fn new() -> io::Result<Self> {
        let proc = ProcRoot::default();
        let hierarchies = Arc::new(CgroupHierarchies::read(&proc)?);
        Ok(Self {
            threads: ThreadResolver::new(proc.clone(), Arc::clone(&hierarchies)),
            objects: ObjectResolver::new(proc.clone()),
            runtimes: PythonRuntimes::new(proc.clone()),
            unsupported: BTreeSet::new(),
            failures: ResolveFailures::default(),
            hierarchies,
            proc,
        })
    }

    /// A thread's name and process. An ended thread keeps its name for a minute; one that was never
    /// registered has an empty name.
    pub(crate) fn thread(&mut self, tid: u32) -> ThreadName {
        self.threads.name(tid)
    }

    /// The thread that ran on the CPU while a thread of the process `reader_pid` waited for it.
    pub(crate) fn runner(&mut self, tid: u32, reader_pid: u32) -> Culprit {
        Culprit::Runner {
            thread: self.threads.name(tid),
            cgroup: self.threads.cgroup(tid),
            relation: self.threads.relation(tid, reader_pid),
        }
    }

    /// The thread that released the lock at `address` in the process of the waiter.
    pub(crate) fn holder(&mut self, pid: u32, address: u64, tid: u32) -> Culprit {
        let lock = if self.is_gil(pid, address) {
            Lock::Gil
        } else {
            Lock::Futex { address }
        };
        Culprit::Holder {
            lock,
            thread: self.threads.name(tid),
        }
    }

    /// The system call that blocked a thread of a process, by its number (-1: none, a page fault)
    /// and first argument, with the object it is on after the wait.
    pub(crate) fn call(&mut self, pid: u32, number: i64, argument: u64) -> Culprit {
        let (name, object) = self.objects.resolve(pid, number, argument);
        Culprit::Call { name, object }
    }

    /// The facts of a process; `None` when there is no such process.
    #[must_use]
    pub fn process(&self, pid: u32) -> Option<ProcessInfo> {
        let status = self.proc.status(pid).ok()?;
        let cgroup = fs::read_to_string(self.proc.file(pid, "cgroup")).unwrap_or_default();
        // Where the agent has a cgroup namespace, paths are relative to its own cgroup and lack the
        // folders above.
        let owner = match self.hierarchies.path_of(&self.proc, pid) {
            Some(path) if cgroup.contains(":/..") => CgroupOwner::parse(&format!("0::{path}")),
            _ => CgroupOwner::parse(&cgroup),
        };
        let (cpu_request_millis, cpu_request_between) = match self.cpu_request(&cgroup, &owner) {
            Some((from, to)) if from == to => (Some(from), None),
            between => (None, between),
        };
        Some(ProcessInfo {
            pid,
            inner_pid: status.inner_tid().unwrap_or(pid),
            comm: status.name()?.to_owned(),
            container: owner.container.map(|container| Container {
                id: container.id,
                runtime: container.runtime.map(str::to_owned),
                name: None,
            }),
            pod: owner.pod.map(|pod| Pod {
                uid: pod.uid,
                qos: pod.qos,
                ..Pod::default()
            }),
            cpu_request_millis,
            cpu_request_between,
            cpu_limit_millis: None,
        })
    }

    /// The arguments of a process, separated by spaces; `None` when there is no such process.
    pub(crate) fn command_line(&self, pid: u32) -> Option<String> {
        let bytes = fs::read(self.proc.file(pid, "cmdline")).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_end_matches('\0').replace('\0', " "))
    }

    /// The paths of a process's cgroups below the mounts, one per hierarchy; `None` when there is
    /// no such process.
    pub(crate) fn cgroup_paths(&self, pid: u32) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.proc.file(pid, "cgroup")).ok()?;
        let path = |line: &str| Some(line.splitn(3, ':').nth(2)?.to_owned());
        // The first one does not depend on where the agent runs. Those in the text are relative to
        // the agent's own cgroup where it has a cgroup namespace.
        let own = self.hierarchies.path_of(&self.proc, pid);
        Some(
            own.into_iter()
                .chain(text.lines().filter_map(path))
                .collect(),
        )
    }

    /// The least and the most CPU that a process's container may have requested, thousandths of a
    /// CPU, by the shares or the weight of its cgroup. `None` outside of a pod, where shares do not
    /// stand for a request.
    fn cpu_request(&self, cgroup: &str, owner: &CgroupOwner) -> Option<(u64, u64)> {
        let (pod, container) = (owner.pod.as_ref()?, owner.container.as_ref()?);
        let cpu = self.hierarchies.container_cpu(cgroup, &container.id)?;
        match cpu.share {
            CpuShare::Shares(shares) => container::millis_of_shares(shares).map(|m| (m, m)),
            CpuShare::Weight(weight) => match (pod.qos, cpu.limit_millis) {
                // By definition their requests equal their limits.
                (Some(Qos::Guaranteed), Some(limit)) => Some((limit, limit)),
                (_, limit) => container::millis_of_weight(weight, limit),
            },
        }
    }

    /// The limits and counters of a process's cgroups, its own first, read anew with each call.
    ///
    /// # Errors
    /// When there is no CPU controller, no such process, or its cgroup is not visible here.
    pub fn cgroup_use(&self, pid: u32) -> Result<CgroupUse, CgroupError> {
        self.hierarchies.read_use(&self.proc, pid)
    }

    /// Whether a futex of the process at this address is CPython's global interpreter lock.
    pub(crate) fn is_gil(&mut self, pid: u32, address: u64) -> bool {
        self.runtimes.is_gil(pid, address)
    }

    /// A sample of a thread of a process: its state by `/proc`, its system call and its function;
    /// `None` when there is no such thread (counted). `/proc` does not distinguish a running thread
    /// from a runnable one: the state of both is unknown.
    pub(crate) fn activity(&mut self, pid: u32, tid: u32) -> Option<ThreadActivity> {
        let Some(stat) = self.proc.stat(tid) else {
            self.failures.threads_ended += 1;
            return None;
        };
        let call = fs::read_to_string(self.proc.file(tid, "syscall"))
            .ok()
            .and_then(|text| blocking_call(&text));
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

    /// The name of a system call of this architecture; of -1: a page fault.
    pub(crate) fn call_name(number: i64) -> String {
        syscalls::name(number)
    }

    /// The Python function that a thread of a process is in, read without stopping it; `None` when
    /// it is in none, or when that cannot be resolved (counted).
    pub(crate) fn function(&mut self, pid: u32, tid: u32) -> Option<Function> {
        let runtime = self.runtimes.of(pid)?;
        let Some(inner) = self.threads.inner_tid(tid) else {
            self.failures.threads_ended += 1;
            return None;
        };
        match python::function(pid, inner, &runtime) {
            Ok(function) => function,
            Err(FunctionError::Unsupported(reason)) => {
                self.failures.functions_unsupported += 1;
                self.unsupported.insert(reason.to_string());
                None
            }
            Err(FunctionError::Inconsistent(_) | FunctionError::Unreadable(_)) => {
                self.failures.functions_inconsistent += 1;
                None
            }
        }
    }

    /// Searches the files of a process for CPython now, so that nothing waits for it later.
    pub(crate) fn find_runtime(&mut self, pid: u32) {
        let _cached = self.runtimes.of(pid);
    }

    /// Starts to search the files of a process for CPython in a background thread. Only what is
    /// asked of this process meanwhile waits for it.
    pub(crate) fn find_runtime_in_background(&mut self, pid: u32) {
        self.runtimes.find_in_background(pid);
    }

    /// Why samples have no function, each reason once.
    pub(crate) fn unsupported_runtimes(&self) -> impl Iterator<Item = &str> {
        self.unsupported.iter().map(String::as_str)
    }

    /// How often something could not be resolved.
    pub(crate) fn counts(&self) -> ResolveFailures {
        ResolveFailures {
            objects: self.objects.failures(),
            unreadable_files: self.runtimes.unreadable_files(),
            large_files: self.runtimes.large_files(),
            ..self.failures
        }
    }
}

/// The name of the call in the text of a `/proc/TID/syscall`; `None` when the thread runs.
fn blocking_call(text: &str) -> Option<String> {
    let number = text.split_whitespace().next()?.parse().ok()?;
    Some(syscalls::name(number))
}
