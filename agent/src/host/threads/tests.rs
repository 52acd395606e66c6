use std::{fs, path::Path};

use super::*;

struct FakeThreads {
    folder: tempfile::TempDir,
    threads: ThreadResolver,
    now: Instant,
}

impl FakeThreads {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hierarchies = CgroupHierarchies::parse(
            "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n".as_bytes(),
        )
        .expect("parsed");
        Self {
            threads: ThreadResolver::new(ProcRoot::at(folder.path()), Arc::new(hierarchies)),
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
        let entry = self.threads.entry(tid, self.now)?;
        Some(entry.name.comm.clone())
    }
}

#[test]
fn an_ended_thread_keeps_its_name_for_a_minute() {
    let mut f = FakeThreads::new();
    f.thread(9, 8, "json", 100, 0, "/a");
    assert_eq!(f.comm(9).as_deref(), Some("json"));
    f.gone(9);
    f.now += Duration::from_secs(30);
    assert_eq!(f.comm(9).as_deref(), Some("json"));
    f.now += Duration::from_secs(31);
    assert_eq!(f.comm(9), None);
    assert_eq!(f.threads.name(9), unknown_name(9));
}

#[test]
fn a_reused_tid_is_another_thread() {
    let mut f = FakeThreads::new();
    f.thread(9, 8, "json", 100, 0, "/a");
    assert_eq!(f.threads.entry(9, f.now).expect("there").name.pid, 8);
    f.thread(9, 7, "cron", 200, 0, "/a");
    // The entry is valid for a second.
    assert_eq!(f.comm(9).as_deref(), Some("json"));
    f.now += VALIDITY;
    let name = f.threads.entry(9, f.now).expect("there").name.clone();
    assert_eq!((name.pid, name.comm.as_str()), (7, "cron"));
}

#[test]
fn a_thread_may_change_its_name() {
    let mut f = FakeThreads::new();
    f.thread(9, 8, "python3", 100, 0, "/a");
    assert_eq!(f.comm(9).as_deref(), Some("python3"));
    f.thread(9, 0, "ingest", 100, 0, "/a");
    f.now += VALIDITY;
    let name = f.threads.entry(9, f.now).expect("there").name.clone();
    assert_eq!((name.pid, name.comm.as_str()), (8, "ingest"));
}

#[test]
fn the_relation_is_by_process_then_by_cgroup() {
    let mut f = FakeThreads::new();
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
    let mut relation = |tid| f.threads.relation_at(tid, 8, now);
    assert_eq!(relation(9), RunnerRelation::SameProcess);
    assert_eq!(relation(10), RunnerRelation::SameCgroup);
    assert_eq!(relation(11), RunnerRelation::OtherCgroup);
    assert_eq!(relation(12), RunnerRelation::Kernel);
    assert_eq!(relation(0), RunnerRelation::Kernel);
    assert_eq!(relation(99), RunnerRelation::OtherCgroup);
    // Both are in the root cgroup, which is no group.
    assert_eq!(
        f.threads.relation_at(14, 13, now),
        RunnerRelation::OtherCgroup
    );
}

#[test]
fn a_pod_is_one_group_with_both_cgroup_drivers() {
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
    let mut f = FakeThreads::new();
    f.threads.entries.resize(NonZeroUsize::new(2).expect("2"));
    for tid in 1..=3 {
        f.thread(tid, tid, "x", 1, 0, "/a");
        assert!(f.comm(tid).is_some());
    }
    assert_eq!(f.threads.entries.len(), 2);
}

#[test]
fn this_very_thread_is_resolved() {
    let hierarchies = CgroupHierarchies::read(&ProcRoot::default()).expect("mounts");
    let mut threads = ThreadResolver::new(ProcRoot::default(), Arc::new(hierarchies));
    let pid = std::process::id();
    let tid = std::thread::Builder::new()
        .name("tag52-name".to_owned())
        .spawn(move || {
            let path = fs::read_link("/proc/thread-self").expect("a link");
            let tid = Path::new(&path)
                .file_name()
                .and_then(|t| t.to_str()?.parse().ok());
            let tid: u32 = tid.expect("a number");
            let name = threads.name(tid);
            assert_eq!((name.pid, name.comm.as_str()), (pid, "tag52-name"));
            assert_eq!(threads.relation(tid, pid), RunnerRelation::SameProcess);
            assert_eq!(threads.relation(2, pid), RunnerRelation::Kernel);
            tid
        })
        .expect("a thread")
        .join()
        .expect("its number");
    assert_ne!(tid, pid);
}
