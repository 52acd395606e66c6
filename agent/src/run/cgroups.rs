//! The CPU limits of the watched processes, read from the cgroup file systems.

use std::{
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use procfs::process::Process;

use crate::model::{CgroupLevel, CgroupUse};

const NS_PER_US: u64 = 1_000;

/// Where the CPU controller is. Version 1 takes precedence: a controller is in one hierarchy only, and
/// the unified one is mounted without controllers beside it (cgroups(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cgroups {
    /// Version 1: the mount points of `cpu` and `cpuacct`, often the same.
    Split { cpu: PathBuf, cpuacct: PathBuf },
    /// Version 2: the mount point.
    Unified(PathBuf),
    /// Nowhere.
    Absent,
}

impl Cgroups {
    /// Looks at what is mounted.
    pub(super) fn find() -> Self {
        let mounts = Process::myself().and_then(|process| process.mountinfo());
        let mounts: Vec<_> = mounts.into_iter().flatten().collect();
        let with = |controller: &str| {
            let mount = mounts
                .iter()
                .find(|m| m.fs_type == "cgroup" && m.super_options.contains_key(controller));
            mount.map(|m| m.mount_point.clone())
        };
        if let (Some(cpu), Some(cpuacct)) = (with("cpu"), with("cpuacct")) {
            return Self::Split { cpu, cpuacct };
        }
        let unified = mounts.into_iter().find(|m| m.fs_type == "cgroup2");
        unified.map_or(Self::Absent, |m| Self::Unified(m.mount_point))
    }

    /// The cgroups of a process, its own first; those without a CPU controller are left out.
    ///
    /// # Errors
    /// When the process has ended.
    pub(super) fn of(&self, pid: NonZeroU32) -> io::Result<CgroupUse> {
        let memberships = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let levels = match self {
            Self::Split { cpu, cpuacct } => {
                let accounts = membership(&memberships, "cpuacct").unwrap_or_default();
                ancestry(membership(&memberships, "cpu"))
                    .iter()
                    // A process may be elsewhere in the other hierarchy: then its use is not this one's.
                    .filter_map(|path| {
                        let within = Path::new(&accounts).starts_with(path);
                        split_level(cpu, within.then_some(cpuacct.as_path()), path)
                    })
                    .collect()
            }
            Self::Unified(root) => ancestry(membership(&memberships, ""))
                .iter()
                .filter_map(|path| unified_level(root, path))
                .collect(),
            Self::Absent => Vec::new(),
        };
        Ok(CgroupUse {
            pid: pid.get(),
            levels,
        })
    }
}

/// Where a process is in the hierarchy of a controller (`""`: the unified one), without the leading
/// slash: `3:cpu,cpuacct:/pod`.
fn membership(memberships: &str, controller: &str) -> Option<String> {
    memberships.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let it = controllers.split(',').any(|name| name == controller);
        it.then(|| path.trim_start_matches('/').to_owned())
    })
}

/// A path and those above it, the root included.
fn ancestry(path: Option<String>) -> Vec<PathBuf> {
    let path = path.map(PathBuf::from);
    path.iter()
        .flat_map(|path| path.ancestors())
        .map(Path::to_path_buf)
        .collect()
}

/// One cgroup of version 2; `None` without a CPU controller (the root has none) or when it is gone.
fn unified_level(root: &Path, path: &Path) -> Option<CgroupLevel> {
    let folder = root.join(path);
    let max = fs::read_to_string(folder.join("cpu.max")).ok()?;
    let stat = fs::read_to_string(folder.join("cpu.stat")).ok()?;
    let (quota, period) = max.trim().split_once(' ')?;
    Some(CgroupLevel {
        path: format!("/{}", path.display()),
        quota_ns: quota.parse::<u64>().ok().map(|us| us * NS_PER_US),
        period_ns: period.parse::<u64>().ok()? * NS_PER_US,
        usage_ns: field(&stat, "usage_usec") * NS_PER_US,
        periods: field(&stat, "nr_periods"),
        throttled_periods: field(&stat, "nr_throttled"),
        throttled_ns: field(&stat, "throttled_usec") * NS_PER_US,
    })
}

/// One cgroup of version 1; `None` for the root, which has no quota, or when it is gone.
fn split_level(cpu: &Path, cpuacct: Option<&Path>, path: &Path) -> Option<CgroupLevel> {
    let read = |root: &Path, name: &str| fs::read_to_string(root.join(path).join(name)).ok();
    if path.as_os_str().is_empty() {
        return None;
    }
    let number = |text: String| text.trim().parse::<i64>().ok();
    let quota = number(read(cpu, "cpu.cfs_quota_us")?)?;
    let period = number(read(cpu, "cpu.cfs_period_us")?)?;
    let stat = read(cpu, "cpu.stat")?;
    let usage = cpuacct.and_then(|root| number(read(root, "cpuacct.usage")?));
    Some(CgroupLevel {
        path: format!("/{}", path.display()),
        // -1: no limit.
        quota_ns: u64::try_from(quota).ok().map(|us| us * NS_PER_US),
        period_ns: u64::try_from(period).ok()? * NS_PER_US,
        usage_ns: usage.and_then(|ns| ns.try_into().ok()).unwrap_or(0),
        periods: field(&stat, "nr_periods"),
        throttled_periods: field(&stat, "nr_throttled"),
        throttled_ns: field(&stat, "throttled_time"),
    })
}

/// A line `name value`; 0 when it is missing.
fn field(stat: &str, name: &str) -> u64 {
    stat.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes away.
    struct Folder(PathBuf);

    impl Folder {
        fn with(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("tag52-{name}-{}", std::process::id()));
            for (file, text) in files {
                let file = root.join(file);
                fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
                fs::write(file, text).expect("written");
            }
            Self(root)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const EXPECTED: CgroupLevel = CgroupLevel {
        path: String::new(),
        quota_ns: Some(250_000_000),
        period_ns: 100_000_000,
        usage_ns: 7_000,
        periods: 9,
        throttled_periods: 2,
        throttled_ns: 4_000,
    };

    #[test]
    fn version_two_is_read_in_nanoseconds() {
        let stat = "usage_usec 7\nuser_usec 5\nnr_periods 9\nnr_throttled 2\nthrottled_usec 4\n";
        let root = Folder::with(
            "cgroup-2",
            &[
                ("pod/cpu.max", "250000 100000\n"),
                ("pod/cpu.stat", stat),
                ("free/cpu.max", "max 100000\n"),
                ("free/cpu.stat", stat),
            ],
        );
        let mut expected = EXPECTED;
        expected.path = "/pod".to_owned();
        assert_eq!(expected.cores(), Some(2.5));
        assert_eq!(unified_level(&root.0, Path::new("pod")), Some(expected));
        let free = unified_level(&root.0, Path::new("free")).expect("a level");
        assert_eq!(free.quota_ns, None);
        assert_eq!(unified_level(&root.0, Path::new("")), None);
    }

    #[test]
    fn version_one_is_read_in_nanoseconds() {
        let root = Folder::with(
            "cgroup-1",
            &[
                ("cpu/pod/cpu.cfs_quota_us", "250000\n"),
                ("cpu/pod/cpu.cfs_period_us", "100000\n"),
                (
                    "cpu/pod/cpu.stat",
                    "nr_periods 9\nnr_throttled 2\nthrottled_time 4000\n",
                ),
                ("cpuacct/pod/cpuacct.usage", "7000\n"),
            ],
        );
        let (cpu, cpuacct) = (root.0.join("cpu"), root.0.join("cpuacct"));
        let mut expected = EXPECTED;
        expected.path = "/pod".to_owned();
        let pod = split_level(&cpu, Some(&cpuacct), Path::new("pod"));
        assert_eq!(pod, Some(expected));
        fs::write(cpu.join("pod/cpu.cfs_quota_us"), "-1\n").expect("written");
        let free = split_level(&cpu, None, Path::new("pod")).expect("a level");
        assert_eq!((free.quota_ns, free.usage_ns), (None, 0));
    }

    #[test]
    fn a_process_is_found_in_either_hierarchy() {
        let memberships = "3:cpuacct,cpu:/a/b\n1:name=systemd:/x\n0::/c\n";
        assert_eq!(membership(memberships, "cpu").as_deref(), Some("a/b"));
        assert_eq!(membership(memberships, "").as_deref(), Some("c"));
        assert_eq!(membership(memberships, "memory"), None);
        let all = ancestry(membership(memberships, "cpu"));
        assert_eq!(all, ["a/b", "a", ""].map(PathBuf::from));
    }

    #[test]
    fn this_machine_has_a_cpu_controller() {
        assert_ne!(Cgroups::find(), Cgroups::Absent);
        let pid = NonZeroU32::new(std::process::id()).expect("a pid");
        let own = Cgroups::find().of(pid).expect("readable");
        assert_eq!(own.pid, pid.get());
    }
}
