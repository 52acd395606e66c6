//! Threads by name, and whose they are.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::{
    cgroups::Hierarchies,
    container::Place,
    proc::{Proc, Status},
};
use crate::domain::{RunnerRelation, ThreadName};

/// `PF_KTHREAD`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// So many threads are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// So long what is known is not looked at again: names change, and numbers are used again.
const FRESH: Duration = Duration::from_secs(1);

/// So long an ended thread keeps its last known name: its waits are told after its end.
const ENDED_KEPT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
struct Known {
    name: ThreadName,
    /// Its id in the innermost of its PID namespaces; 0 when not known.
    inner: u32,
    /// In clock ticks since boot: tells a thread from a later one of the same number.
    started: u64,
    kernel: bool,
    cgroup: String,
    /// When it was looked at last.
    looked: Instant,
    /// When it was there last.
    seen: Instant,
}

/// What threads are called.
#[derive(Debug)]
pub(super) struct Names {
    proc: Proc,
    hierarchies: Arc<Hierarchies>,
    known: LruCache<u32, Known>,
}

impl Names {
    pub(super) fn new(proc: Proc, hierarchies: Arc<Hierarchies>) -> Self {
        Self {
            proc,
            hierarchies,
            known: LruCache::new(KEPT),
        }
    }

    /// A thread's name; that of an ended one for a minute, if it was known. Otherwise empty.
    pub(super) fn thread(&mut self, tid: u32) -> ThreadName {
        match self.look(tid, Instant::now()) {
            Some(known) => known.name.clone(),
            None => nobody(tid),
        }
    }

    /// Its id where it lives; `None` when there is no such thread (any more), as far as is known.
    pub(super) fn inner_tid(&mut self, tid: u32) -> Option<u32> {
        let known = self.look(tid, Instant::now())?;
        Some(known.inner).filter(|&inner| inner != 0)
    }

    /// The cgroup's path below the mount of the hierarchy with the CPU controller; empty when not
    /// known.
    pub(super) fn cgroup(&mut self, tid: u32) -> String {
        self.look(tid, Instant::now())
            .map(|known| known.cgroup.clone())
            .unwrap_or_default()
    }

    /// How a thread belongs to a watched process. One that cannot be found is a neighbour.
    pub(super) fn relation(&mut self, tid: u32, watched: u32) -> RunnerRelation {
        self.relation_at(tid, watched, Instant::now())
    }

    fn relation_at(&mut self, tid: u32, watched: u32, now: Instant) -> RunnerRelation {
        let Some(other) = self.look(tid, now) else {
            return RunnerRelation::OtherCgroup;
        };
        if other.kernel {
            return RunnerRelation::Kernel;
        }
        if other.name.pid == watched {
            return RunnerRelation::SameProcess;
        }
        let cgroup = other.cgroup.clone();
        match self.look(watched, now) {
            Some(own) if group_of(&own.cgroup).is_some_and(|g| group_of(&cgroup) == Some(g)) => {
                RunnerRelation::SameCgroup
            }
            _ => RunnerRelation::OtherCgroup,
        }
    }

    fn look(&mut self, tid: u32, now: Instant) -> Option<&Known> {
        let fresh = self
            .known
            .get(&tid)
            .is_some_and(|known| now.saturating_duration_since(known.looked) < FRESH);
        if !fresh {
            self.look_again(tid, now);
        }
        self.known.peek(&tid)
    }

    fn look_again(&mut self, tid: u32, now: Instant) {
        // Each CPU's idle thread; /proc does not have them.
        if tid == 0 {
            let name = ThreadName {
                comm: "swapper".to_owned(),
                ..nobody(0)
            };
            let idle = Known {
                name,
                inner: 0,
                started: 0,
                kernel: true,
                cgroup: "/".to_owned(),
                looked: now,
                seen: now,
            };
            self.known.put(tid, idle);
            return;
        }
        let cgroup = || {
            self.hierarchies
                .path_of(&self.proc, tid)
                .unwrap_or_default()
        };
        let Some(stat) = self.proc.stat(tid) else {
            let keep = self.known.get_mut(&tid).is_some_and(|known| {
                known.looked = now;
                now.saturating_duration_since(known.seen) < ENDED_KEPT
            });
            if !keep {
                self.known.pop(&tid);
            }
            return;
        };
        let cgroup = cgroup();
        if let Some(known) = self.known.get_mut(&tid)
            && known.started == stat.starttime
        {
            known.name.comm = stat.comm;
            // On its way out a thread is in the root already.
            if !matches!(stat.state, 'Z' | 'X') {
                known.cgroup = cgroup;
            }
            (known.looked, known.seen) = (now, now);
            return;
        }
        let status = self.proc.status(tid).ok();
        let pid = status.as_ref().and_then(Status::tgid);
        let inner = status.as_ref().and_then(Status::inner_tid);
        let known = Known {
            name: ThreadName {
                tid,
                pid: pid.unwrap_or(0),
                comm: stat.comm,
            },
            inner: inner.unwrap_or(0),
            started: stat.starttime,
            kernel: stat.flags & KERNEL_THREAD != 0,
            cgroup,
            looked: now,
            seen: now,
        };
        self.known.put(tid, known);
    }
}

fn nobody(tid: u32) -> ThreadName {
    ThreadName {
        tid,
        pid: 0,
        comm: String::new(),
    }
}

/// Those who share a limit: in Kubernetes the pod, whose containers have cgroups of their own below
/// its; else the cgroup. The root is nobody's in particular.
fn group_of(cgroup: &str) -> Option<String> {
    if matches!(cgroup, "" | "/") {
        return None;
    }
    let pod = Place::of_path(cgroup).pod;
    Some(pod.map_or_else(|| cgroup.to_owned(), |pod| pod.uid))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
        names: Names,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let hierarchies = Hierarchies::parse(
                "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n".as_bytes(),
            )
            .expect("parsed");
            Self {
                names: Names::new(Proc::at(folder.path()), Arc::new(hierarchies)),
                folder,
                now: Instant::now(),
            }
        }

        fn thread(&self, tid: u32, pid: u32, comm: &str, started: u64, flags: u32, cgroup: &str) {
            let root = self.folder.path().join(tid.to_string());
            let write = |file: &str, text: String| {
                let path = root.join(file);
                fs::create_dir_all(path.parent().expect("a parent")).expect("made");
                fs::write(path, text).expect("written");
            };
            let tail = "0 ".repeat(30);
            write(
                &format!("task/{tid}/stat"),
                format!(
                    "{tid} ({comm}) S 1 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {started} {}",
                    tail.trim()
                ),
            );
            write("status", format!("Name:\t{comm}\nTgid:\t{pid}\n"));
            write("cgroup", format!("0::{cgroup}\n"));
        }

        fn gone(&self, tid: u32) {
            fs::remove_dir_all(self.folder.path().join(tid.to_string())).expect("removed");
        }

        fn comm(&mut self, tid: u32) -> Option<String> {
            let known = self.names.look(tid, self.now)?;
            Some(known.name.comm.clone())
        }
    }

    #[test]
    fn an_ended_thread_keeps_its_name_for_a_while() {
        let mut f = Fixture::new();
        f.thread(9, 8, "json", 100, 0, "/a");
        assert_eq!(f.comm(9).as_deref(), Some("json"));
        f.gone(9);
        f.now += Duration::from_secs(30);
        assert_eq!(f.comm(9).as_deref(), Some("json"));
        f.now += Duration::from_secs(31);
        assert_eq!(f.comm(9), None);
        assert_eq!(f.names.thread(9), nobody(9));
    }

    #[test]
    fn a_number_used_again_is_another_thread() {
        let mut f = Fixture::new();
        f.thread(9, 8, "json", 100, 0, "/a");
        assert_eq!(f.names.look(9, f.now).expect("there").name.pid, 8);
        f.thread(9, 7, "cron", 200, 0, "/a");
        // Not looked at again so soon.
        assert_eq!(f.comm(9).as_deref(), Some("json"));
        f.now += FRESH;
        let name = f.names.look(9, f.now).expect("there").name.clone();
        assert_eq!((name.pid, name.comm.as_str()), (7, "cron"));
    }

    #[test]
    fn a_new_name_is_seen_and_the_process_kept() {
        let mut f = Fixture::new();
        f.thread(9, 8, "python3", 100, 0, "/a");
        assert_eq!(f.comm(9).as_deref(), Some("python3"));
        f.thread(9, 0, "ingest", 100, 0, "/a");
        f.now += FRESH;
        let name = f.names.look(9, f.now).expect("there").name.clone();
        assert_eq!((name.pid, name.comm.as_str()), (8, "ingest"));
    }

    #[test]
    fn kin_is_by_process_then_by_cgroup() {
        let mut f = Fixture::new();
        let pod = "/kubepods.slice/kubepods-burstable-podab.slice";
        f.thread(8, 8, "ours", 1, 0, &format!("{pod}/main"));
        f.thread(9, 8, "ours", 1, 0, &format!("{pod}/main"));
        f.thread(10, 10, "sidecar", 1, 0, &format!("{pod}/side"));
        f.thread(
            11,
            11,
            "other",
            1,
            0,
            "/kubepods.slice/kubepods-burstable-podcd.slice/x",
        );
        f.thread(12, 12, "kworker/0:1", 1, KERNEL_THREAD | 0x40, "/");
        f.thread(13, 13, "lost", 1, 0, "/");
        f.thread(14, 14, "lost too", 1, 0, "/");
        let now = f.now;
        let mut relation = |tid| f.names.relation_at(tid, 8, now);
        assert_eq!(relation(9), RunnerRelation::SameProcess);
        assert_eq!(relation(10), RunnerRelation::SameCgroup);
        assert_eq!(relation(11), RunnerRelation::OtherCgroup);
        assert_eq!(relation(12), RunnerRelation::Kernel);
        assert_eq!(relation(0), RunnerRelation::Kernel);
        assert_eq!(relation(99), RunnerRelation::OtherCgroup);
        // Both in the root: no group of their own.
        assert_eq!(
            f.names.relation_at(14, 13, now),
            RunnerRelation::OtherCgroup
        );
    }

    #[test]
    fn a_pod_is_found_with_both_cgroup_drivers() {
        assert_eq!(
            group_of("/kubepods/burstable/pod12-3/0af"),
            Some("12-3".to_owned())
        );
        assert_eq!(
            group_of("/system.slice/x.service"),
            Some("/system.slice/x.service".to_owned())
        );
        assert_eq!(group_of("/podman/x"), Some("/podman/x".to_owned()));
        assert_eq!(group_of("/"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut f = Fixture::new();
        f.names.known.resize(NonZeroUsize::new(2).expect("2"));
        for tid in 1..=3 {
            f.thread(tid, tid, "x", 1, 0, "/a");
            assert!(f.comm(tid).is_some());
        }
        assert_eq!(f.names.known.len(), 2);
    }

    #[test]
    fn this_very_thread_is_known() {
        let hierarchies = Hierarchies::read(&Proc::default()).expect("mounts");
        let mut names = Names::new(Proc::default(), Arc::new(hierarchies));
        let pid = std::process::id();
        let tid = std::thread::Builder::new()
            .name("tag52-name".to_owned())
            .spawn(move || {
                let path = fs::read_link("/proc/thread-self").expect("a link");
                let tid = Path::new(&path)
                    .file_name()
                    .and_then(|t| t.to_str()?.parse().ok());
                let tid: u32 = tid.expect("a number");
                let name = names.thread(tid);
                assert_eq!((name.pid, name.comm.as_str()), (pid, "tag52-name"));
                assert_eq!(names.relation(tid, pid), RunnerRelation::SameProcess);
                assert_eq!(names.relation(2, pid), RunnerRelation::Kernel);
                tid
            })
            .expect("a thread")
            .join()
            .expect("its number");
        assert_ne!(tid, pid);
    }
}
