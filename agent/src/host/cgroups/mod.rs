//! The cgroups of the CPU controller: v1, v2, and both at once.

mod namespace_path;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use procfs::{
    FromBufRead as _,
    process::{MountInfo, MountInfos},
};

use self::namespace_path::NamespacePath;
use super::proc::ProcRoot;
use crate::domain::{CgroupLevel, CgroupUse};

/// Why the cgroups of a process cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// `/proc/self/mountinfo` has no hierarchy with the CPU controller.
    #[error("no cgroup hierarchy with the cpu controller is mounted")]
    NotMounted,
    /// The process has ended.
    #[error("process {pid} has ended: {source}")]
    NoProcess {
        /// Its pid.
        pid: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// The mount shows only a part of the tree, and the process is in another part.
    #[error("the cgroup of process {pid} is outside of the part that is mounted here")]
    Outside {
        /// Its pid.
        pid: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CgroupVersion {
    /// The hierarchy of this controller.
    V1(&'static str),
    V2,
}

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CgroupHierarchy {
    version: CgroupVersion,
    /// The cgroup at the top of the mount.
    root: NamespacePath,
    mount: PathBuf,
    /// The folders from there to the root of our cgroup namespace, where that is further down and
    /// was found.
    home: Option<Vec<OsString>>,
}

/// The CPU share and limit of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CgroupCpu {
    pub(super) share: CpuShare,
    /// The limit, thousandths of a CPU; `None`: no limit.
    pub(super) limit_millis: Option<u64>,
}

/// How much of the CPU a cgroup gets when others compete for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CpuShare {
    /// v1: 2 to 262144, 1024 by default.
    Shares(u64),
    /// v2: 1 to 10000, 100 by default.
    Weight(u64),
}

/// The mounted hierarchies that limit or count CPU time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CgroupHierarchies {
    /// The one with the limits: v1's `cpu` if it is mounted, else v2.
    limits: Option<CgroupHierarchy>,
    /// Those that count use; in v1 this may be another one than that with the limits.
    accounts: Vec<CgroupHierarchy>,
}

impl CgroupHierarchies {
    /// The hierarchies mounted here.
    ///
    /// # Errors
    /// When `/proc/self/mountinfo` cannot be read.
    pub(super) fn read(proc: &ProcRoot) -> io::Result<Self> {
        let file = File::open(proc.path().join("self/mountinfo"))?;
        Self::parse(BufReader::new(file))
    }

    /// From the text of a `mountinfo`.
    pub(super) fn parse(text: impl io::BufRead) -> io::Result<Self> {
        let mounts = MountInfos::from_buf_read(text).map_err(io::Error::other)?;
        let find = |version: CgroupVersion| {
            let mounts = mounts.0.iter().filter(|mount| is_mount_of(mount, version));
            let views = mounts.map(|mount| {
                (
                    NamespacePath::parse(mount.root.as_ref()),
                    &mount.mount_point,
                )
            });
            let views: Vec<_> = views.collect();
            // A mount may show only a part of the tree: the widest one is taken.
            let (root, mount) = views.iter().max_by_key(|(root, _)| root.width())?;
            let own = views.iter().find(|(root, _)| root.is_home());
            Some(CgroupHierarchy {
                version,
                home: own.and_then(|(_, own)| root.home(mount, own)),
                root: root.clone(),
                mount: (*mount).clone(),
            })
        };
        let limits = find(CgroupVersion::V1("cpu")).or_else(|| find(CgroupVersion::V2));
        let accounts = [CgroupVersion::V1("cpuacct"), CgroupVersion::V2];
        Ok(Self {
            limits,
            accounts: accounts.into_iter().filter_map(find).collect(),
        })
    }

    /// The path of a thread's cgroup below the mount with the limits; `None` when it is unknown.
    pub(super) fn path_of(&self, proc: &ProcRoot, tid: u32) -> Option<String> {
        let text = fs::read_to_string(proc.file(tid, "cgroup")).ok()?;
        let path = self.limits.as_ref()?.locate(&text)?;
        Some(path.to_string_lossy().into_owned())
    }

    /// The share and the limit of the cgroup that is named after a container, from the text of a
    /// process's `cgroup`. The process may be in a cgroup below it (`crio-ID.scope/container`).
    pub(super) fn container_cpu(&self, text: &str, container: &str) -> Option<CgroupCpu> {
        let limits = self.limits.as_ref()?;
        let own = limits.locate(text)?;
        let level = own.ancestors().find(|level| {
            let name = level.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.contains(container))
        })?;
        let number = |name| limits.file(level, name)?.trim().parse().ok();
        let share = match limits.version {
            CgroupVersion::V1(_) => CpuShare::Shares(number("cpu.shares")?),
            CgroupVersion::V2 => CpuShare::Weight(number("cpu.weight")?),
        };
        let cores = limits.level(level)?.cores();
        Some(CgroupCpu {
            share,
            limit_millis: cores.map(|cores| (cores * 1000.0).round() as u64),
        })
    }

    /// All levels from the process's own cgroup to the root of the visible part, read anew.
    pub(super) fn read_use(&self, proc: &ProcRoot, pid: u32) -> Result<CgroupUse, CgroupError> {
        let limits = self.limits.as_ref().ok_or(CgroupError::NotMounted)?;
        let text = fs::read_to_string(proc.file(pid, "cgroup"))
            .map_err(|source| CgroupError::NoProcess { pid, source })?;
        let own = limits.locate(&text).ok_or(CgroupError::Outside { pid })?;
        let accounts: Vec<(&CgroupHierarchy, PathBuf)> = self
            .accounts
            .iter()
            .filter_map(|hierarchy| Some((hierarchy, hierarchy.locate(&text)?)))
            .collect();
        // A cgroup that was removed meanwhile, or has no controller, is skipped.
        let levels = own.ancestors().filter_map(|level| {
            let mut read = limits.level(level)?;
            if limits.version != CgroupVersion::V2 {
                let account = accounts.iter().find(|(_, path)| path.starts_with(level));
                read.usage_ns = account.and_then(|(hierarchy, _)| hierarchy.usage_ns(level));
            }
            Some(read)
        });
        Ok(CgroupUse {
            pid,
            levels: levels.collect(),
        })
    }
}

/// Whether this is a mount of that hierarchy.
fn is_mount_of(mount: &MountInfo, version: CgroupVersion) -> bool {
    match version {
        CgroupVersion::V1(controller) => {
            mount.fs_type == "cgroup" && mount.super_options.contains_key(controller)
        }
        CgroupVersion::V2 => mount.fs_type == "cgroup2",
    }
}

impl CgroupHierarchy {
    /// The path of a process's cgroup below this mount, from the text of its `cgroup`.
    fn locate(&self, text: &str) -> Option<PathBuf> {
        let path = text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let is_this = match self.version {
                CgroupVersion::V1(name) => controllers.split(',').any(|c| c == name),
                CgroupVersion::V2 => id == "0" && controllers.is_empty(),
            };
            is_this.then_some(path)
        })?;
        // A zombie's cgroup may have been removed; its ancestors exist.
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        self.root.locate(Path::new(path), self.home.as_deref())
    }

    /// The text of a file of a cgroup.
    fn file(&self, level: &Path, name: &str) -> Option<String> {
        let below = level.strip_prefix("/").ok()?;
        fs::read_to_string(self.mount.join(below).join(name)).ok()
    }

    /// The limit and the counters of a cgroup; `None` when it has none.
    fn level(&self, path: &Path) -> Option<CgroupLevel> {
        let stat = self.file(path, "cpu.stat")?;
        let is_top = path == Path::new("/");
        let (quota_us, period_us) = match self.version {
            CgroupVersion::V2 => match self.file(path, "cpu.max") {
                Some(text) => cpu_max(&text),
                // The root has no limit. Another cgroup without the file has no controller.
                None if is_top => (None, 0),
                None => return None,
            },
            CgroupVersion::V1(_) => {
                let number = |name| self.file(path, name)?.trim().parse::<i64>().ok();
                (
                    // -1: no limit.
                    number("cpu.cfs_quota_us").and_then(|n| u64::try_from(n).ok()),
                    number("cpu.cfs_period_us")
                        .and_then(|n| u64::try_from(n).ok())
                        .unwrap_or(0),
                )
            }
        };
        let field = |name| value(&stat, name);
        let micros = |name| field(name).map(|us| us * 1000);
        Some(CgroupLevel {
            path: path.to_string_lossy().into_owned(),
            quota_ns: quota_us.map(|us| us * 1000),
            period_ns: period_us * 1000,
            usage_ns: micros("usage_usec"),
            periods: field("nr_periods").unwrap_or(0),
            throttled_periods: field("nr_throttled").unwrap_or(0),
            throttled_ns: field("throttled_time")
                .or_else(|| micros("throttled_usec"))
                .unwrap_or(0),
        })
    }

    /// The CPU time used by a cgroup, nanoseconds.
    fn usage_ns(&self, level: &Path) -> Option<u64> {
        match self.version {
            CgroupVersion::V1(_) => self.file(level, "cpuacct.usage")?.trim().parse().ok(),
            CgroupVersion::V2 => {
                value(&self.file(level, "cpu.stat")?, "usage_usec").map(|us| us * 1000)
            }
        }
    }
}

/// The quota and the period in a `cpu.max`, microseconds.
fn cpu_max(text: &str) -> (Option<u64>, u64) {
    let mut words = text.split_whitespace();
    let quota = words.next().and_then(|word| word.parse().ok());
    let period = words.next().and_then(|word| word.parse().ok());
    (quota, period.unwrap_or(0))
}

/// The value of a line `NAME VALUE`.
fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?.strip_prefix(' ')?;
        rest.parse().ok()
    })
}

/// The cgroups that were throttled between two samples, the process's own first, by path, and for
/// how long, nanoseconds as the kernel counts them: those of several CPUs are summed, and
/// throttling in progress is counted when it ends (0 until then).
///
/// A cgroup that is in one of the samples only, because the process has moved, is skipped.
#[must_use]
pub fn throttled_levels(before: &CgroupUse, after: &CgroupUse) -> Vec<(String, u64)> {
    let levels = after.levels.iter().filter_map(|now| {
        let was = before.levels.iter().find(|was| was.path == now.path)?;
        // The counters of a new cgroup of the same path start at 0.
        let is_new =
            now.throttled_periods < was.throttled_periods || now.throttled_ns < was.throttled_ns;
        let (periods, ns) = if is_new {
            (now.throttled_periods, now.throttled_ns)
        } else {
            (
                now.throttled_periods - was.throttled_periods,
                now.throttled_ns - was.throttled_ns,
            )
        };
        (periods > 0 || ns > 0).then(|| (now.path.clone(), ns))
    });
    levels.collect()
}

#[cfg(test)]
mod tests;
