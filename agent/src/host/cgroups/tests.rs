use super::*;

struct FakeCgroups {
    folder: tempfile::TempDir,
}

impl FakeCgroups {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn proc(&self) -> ProcRoot {
        ProcRoot::at(&self.folder.path().join("proc"))
    }

    /// Mounts by (root, folder, type, options).
    fn mounted(&self, mounts: &[(&str, &str, &str, &str)]) -> CgroupHierarchies {
        let top = self.folder.path().display();
        let line = |(root, at, kind, options): &(&str, &str, &str, &str)| {
            format!("31 23 0:28 {root} {top}/{at} rw,relatime - {kind} {kind} {options}")
        };
        let lines: Vec<_> = mounts.iter().map(line).collect();
        CgroupHierarchies::parse(lines.join("\n").as_bytes()).expect("parsed")
    }
}

const STAT: &str =
    "usage_usec 500\nuser_usec 1\nsystem_usec 1\nnr_periods 7\nnr_throttled 3\nthrottled_usec 90\n";

#[test]
fn v2_levels_from_the_own_cgroup_to_the_root() {
    let f = FakeCgroups::new();
    let all = f.mounted(&[("/", "cg", "cgroup2", "rw")]);
    f.write("proc/8/cgroup", "0::/pods/a/leaf\n");
    // The root: no cpu.max. The leaf: no controller.
    f.write("cg/cpu.stat", "usage_usec 9000\n");
    f.write("cg/pods/cpu.stat", STAT);
    f.write("cg/pods/cpu.max", "max 100000\n");
    f.write("cg/pods/a/cpu.stat", STAT);
    f.write("cg/pods/a/cpu.max", "20000 100000\n");
    f.write("cg/pods/a/leaf/cpu.stat", "usage_usec 1\n");
    let cgroups = all.read_use(&f.proc(), 8).expect("read");
    let paths: Vec<_> = cgroups.levels.iter().map(|l| l.path.as_str()).collect();
    assert_eq!(paths, ["/pods/a", "/pods", "/"]);
    assert_eq!(
        cgroups.levels[0],
        CgroupLevel {
            path: "/pods/a".to_owned(),
            quota_ns: Some(20_000_000),
            period_ns: 100_000_000,
            usage_ns: Some(500_000),
            periods: 7,
            throttled_periods: 3,
            throttled_ns: 90_000,
        }
    );
    assert_eq!(cgroups.levels[0].cores(), Some(0.2));
    assert_eq!(cgroups.levels[1].quota_ns, None);
    assert_eq!(
        (cgroups.levels[2].quota_ns, cgroups.levels[2].usage_ns),
        (None, Some(9_000_000))
    );
}

#[test]
fn v1_with_cpu_and_accounts_apart_and_together() {
    for (options, accounts) in [
        (["rw,cpu", "rw,cpuacct"], "ac"),
        (["rw,cpu,cpuacct", "rw,memory"], "cpu"),
    ] {
        let f = FakeCgroups::new();
        let all = f.mounted(&[
            ("/", "cpu", "cgroup", options[0]),
            ("/", "ac", "cgroup", options[1]),
            ("/", "unified", "cgroup2", "rw"),
        ]);
        let lines = if accounts == "cpu" {
            "2:cpu,cpuacct:/a\n1:memory:/m\n0::/\n"
        } else {
            "2:cpuacct:/a\n1:cpu:/a\n0::/\n"
        };
        f.write("proc/8/cgroup", lines);
        f.write(
            "cpu/cpu.stat",
            "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
        );
        f.write(
            "cpu/a/cpu.stat",
            "nr_periods 7\nnr_throttled 3\nthrottled_time 90\n",
        );
        f.write("cpu/a/cpu.cfs_quota_us", "50000\n");
        f.write("cpu/a/cpu.cfs_period_us", "100000\n");
        f.write("cpu/cpu.cfs_quota_us", "-1\n");
        f.write(&format!("{accounts}/a/cpuacct.usage"), "444\n");
        f.write(&format!("{accounts}/cpuacct.usage"), "4444\n");
        let cgroups = all.read_use(&f.proc(), 8).expect("read");
        assert_eq!(cgroups.levels.len(), 2);
        let own = &cgroups.levels[0];
        assert_eq!((own.path.as_str(), own.quota_ns), ("/a", Some(50_000_000)));
        assert_eq!((own.usage_ns, own.throttled_ns), (Some(444), 90));
        assert_eq!(
            (cgroups.levels[1].usage_ns, cgroups.levels[1].quota_ns),
            (Some(4444), None)
        );
    }
}

#[test]
fn the_use_of_another_cgroup_is_not_taken() {
    let f = FakeCgroups::new();
    let all = f.mounted(&[
        ("/", "cpu", "cgroup", "rw,cpu"),
        ("/", "ac", "cgroup", "rw,cpuacct"),
    ]);
    f.write("proc/8/cgroup", "2:cpuacct:/other\n1:cpu:/a\n");
    f.write(
        "cpu/a/cpu.stat",
        "nr_periods 7\nnr_throttled 3\nthrottled_time 90\n",
    );
    f.write("ac/a/cpuacct.usage", "444\n");
    let cgroups = all.read_use(&f.proc(), 8).expect("read");
    assert_eq!(cgroups.levels[0].usage_ns, None);
}

#[test]
fn a_mount_of_a_part_shows_that_part() {
    let f = FakeCgroups::new();
    let all = f.mounted(&[("/pods/a", "cg", "cgroup2", "rw")]);
    f.write("cg/cpu.stat", STAT);
    f.write("cg/x/cpu.stat", STAT);
    f.write("cg/x/cpu.max", "max 100000\n");
    f.write("proc/8/cgroup", "0::/pods/a/x\n");
    let cgroups = all.read_use(&f.proc(), 8).expect("read");
    assert_eq!(cgroups.levels[0].path, "/x");
    assert_eq!(all.path_of(&f.proc(), 8).as_deref(), Some("/x"));
    f.write("proc/9/cgroup", "0::/pods/b\n");
    let error = all.read_use(&f.proc(), 9).expect_err("not visible");
    assert!(matches!(error, CgroupError::Outside { pid: 9 }), "{error}");
    f.write("proc/9/cgroup", "0::/pods/a/../b\n");
    assert!(all.read_use(&f.proc(), 9).is_err());
}

#[test]
fn the_widest_mount_is_taken() {
    let f = FakeCgroups::new();
    let all = f.mounted(&[
        ("/pods/a", "narrow", "cgroup2", "rw"),
        ("/", "wide", "cgroup2", "rw"),
    ]);
    f.write("proc/8/cgroup", "0::/pods/a\n");
    assert_eq!(all.path_of(&f.proc(), 8).as_deref(), Some("/pods/a"));
}

#[test]
fn in_a_container_the_hosts_tree_is_read_from_its_top() {
    let f = FakeCgroups::new();
    f.write("host/pods/pod1/agent/cpu.stat", STAT);
    f.write("host/pods/pod2/app/cpu.stat", STAT);
    f.write("host/pods/pod2/app/cpu.max", "20000 100000\n");
    // Its own cgroup, at the top of its own mount, and the host's tree.
    let all = f.mounted(&[
        ("/", "host/pods/pod1/agent", "cgroup2", "rw"),
        ("/../../..", "host", "cgroup2", "rw"),
    ]);
    f.write("proc/8/cgroup", "0::/../../pod2/app\n");
    f.write("proc/9/cgroup", "0::/\n");
    let cgroups = all.read_use(&f.proc(), 8).expect("read");
    let own = &cgroups.levels[0];
    assert_eq!(own.path, "/pods/pod2/app");
    assert_eq!(own.quota_ns, Some(20_000_000));
    assert_eq!(
        all.path_of(&f.proc(), 9).as_deref(),
        Some("/pods/pod1/agent")
    );
}

#[test]
fn a_removed_cgroup_is_skipped_and_an_ended_process_is_an_error() {
    let f = FakeCgroups::new();
    let all = f.mounted(&[("/", "cg", "cgroup2", "rw")]);
    f.write("cg/cpu.stat", STAT);
    f.write("proc/8/cgroup", "0::/a/b (deleted)\n");
    let cgroups = all.read_use(&f.proc(), 8).expect("read");
    assert_eq!(cgroups.levels.len(), 1);
    assert_eq!(cgroups.levels[0].path, "/");
    let error = all.read_use(&f.proc(), 9).expect_err("gone");
    assert!(
        matches!(error, CgroupError::NoProcess { pid: 9, .. }),
        "{error}"
    );
    let error = f.mounted(&[]).read_use(&f.proc(), 8).expect_err("no mount");
    assert!(matches!(error, CgroupError::NotMounted), "{error}");
}

fn level(path: &str, throttled_periods: u64, throttled_ns: u64) -> CgroupLevel {
    CgroupLevel {
        path: path.to_owned(),
        throttled_periods,
        throttled_ns,
        ..CgroupLevel::default()
    }
}

fn used(levels: &[CgroupLevel]) -> CgroupUse {
    CgroupUse {
        pid: 8,
        levels: levels.to_vec(),
    }
}

#[test]
fn levels_whose_counters_rose_were_throttled() {
    let before = used(&[level("/a/b", 1, 100), level("/a", 5, 500), level("/", 0, 0)]);
    let after = used(&[level("/a/b", 1, 100), level("/a", 6, 580), level("/", 0, 0)]);
    assert_eq!(throttled_levels(&before, &after), [("/a".to_owned(), 80)]);
    assert!(throttled_levels(&after, &after).is_empty());
    // Throttling in progress is not counted yet.
    let begun = used(&[level("/a/b", 2, 100)]);
    assert_eq!(throttled_levels(&before, &begun), [("/a/b".to_owned(), 0)]);
}

#[test]
fn a_level_moved_into_is_skipped_and_a_new_one_counts_from_zero() {
    let before = used(&[level("/a", 5, 500), level("/", 0, 0)]);
    let moved = used(&[level("/b", 9, 900), level("/", 0, 0)]);
    assert!(throttled_levels(&before, &moved).is_empty());
    let anew = used(&[level("/a", 2, 70)]);
    assert_eq!(throttled_levels(&before, &anew), [("/a".to_owned(), 70)]);
}
