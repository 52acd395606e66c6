//! The CPU controller's cgroups: v1, v2, and both at once.

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

use self::namespace_path::Shown;
use super::proc::Proc;
use crate::domain::{CgroupLevel, CgroupUse};

/// Why the cgroups of a process cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// /proc/self/mountinfo has none.
    #[error("no cgroup hierarchy with the cpu controller is mounted")]
    NotMounted,
    /// The process has ended.
    #[error("process {pid} is not there: {source}")]
    NoProcess {
        /// Its number.
        pid: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// The mount shows a part of the tree only, and the process is elsewhere.
    #[error("the cgroup of process {pid} is outside of what is mounted here")]
    Outside {
        /// Its number.
        pid: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// A hierarchy of its own for this controller.
    V1(&'static str),
    V2,
}

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    version: Version,
    /// The cgroup that is at the mount's top.
    root: Shown,
    mount: PathBuf,
    /// The way from there to the root of our cgroup namespace, where that is further down and
    /// known.
    home: Option<Vec<OsString>>,
}

/// What a cgroup has been given of the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) share: Share,
    /// Its own limit, thousandths of a CPU.
    pub(super) limit_millis: Option<u64>,
}

/// How much of the CPU when others want it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// v1: 2 to 262144, 1024 unless told.
    Shares(u64),
    /// v2: 1 to 10000, 100 unless told.
    Weight(u64),
}

/// The hierarchies that have to do with CPU time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies {
    /// Where limits are: v1's `cpu` if there is one, else v2.
    limits: Option<Hierarchy>,
    /// Where use is counted; v1 may have it apart from the limits.
    accounts: Vec<Hierarchy>,
}

impl Hierarchies {
    /// Those mounted here.
    pub(super) fn read(proc: &Proc) -> io::Result<Self> {
        let file = File::open(proc.root().join("self/mountinfo"))?;
        Self::parse(BufReader::new(file))
    }

    /// From the text of a `mountinfo`.
    pub(super) fn parse(text: impl io::BufRead) -> io::Result<Self> {
        let mounts = MountInfos::from_buf_read(text).map_err(io::Error::other)?;
        let find = |version: Version| {
            let mounts = mounts.0.iter().filter(|mount| has(mount, version));
            let views = mounts.map(|mount| (Shown::parse(mount.root.as_ref()), &mount.mount_point));
            let views: Vec<_> = views.collect();
            // A mount may show a part of the tree: the widest view is best.
            let (root, mount) = views.iter().max_by_key(|(root, _)| root.width())?;
            let own = views.iter().find(|(root, _)| root.is_home());
            Some(Hierarchy {
                version,
                home: own.and_then(|(_, own)| root.home(mount, own)),
                root: root.clone(),
                mount: (*mount).clone(),
            })
        };
        let limits = find(Version::V1("cpu")).or_else(|| find(Version::V2));
        let accounts = [Version::V1("cpuacct"), Version::V2];
        Ok(Self {
            limits,
            accounts: accounts.into_iter().filter_map(find).collect(),
        })
    }

    /// The path of a thread's cgroup below the mount; `None` when it cannot be told.
    pub(super) fn path_of(&self, proc: &Proc, tid: u32) -> Option<String> {
        let text = fs::read_to_string(proc.of(tid, "cgroup")).ok()?;
        let path = self.limits.as_ref()?.place(&text)?;
        Some(path.to_string_lossy().into_owned())
    }

    /// From the text of a process's `cgroup`: what the cgroup named after a container has been
    /// given. The process may be in one below it (`crio-ID.scope/container`).
    pub(super) fn given(&self, text: &str, container: &str) -> Option<Given> {
        let limits = self.limits.as_ref()?;
        let own = limits.place(text)?;
        let level = own.ancestors().find(|level| {
            let name = level.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.contains(container))
        })?;
        let number = |name| limits.file(level, name)?.trim().parse().ok();
        let share = match limits.version {
            Version::V1(_) => Share::Shares(number("cpu.shares")?),
            Version::V2 => Share::Weight(number("cpu.weight")?),
        };
        let cores = limits.level(level)?.cores();
        Some(Given {
            share,
            limit_millis: cores.map(|cores| (cores * 1000.0).round() as u64),
        })
    }

    /// All levels from the process's own cgroup to the root of what is visible, read anew.
    pub(super) fn used(&self, proc: &Proc, pid: u32) -> Result<CgroupUse, CgroupError> {
        let limits = self.limits.as_ref().ok_or(CgroupError::NotMounted)?;
        let text = fs::read_to_string(proc.of(pid, "cgroup"))
            .map_err(|source| CgroupError::NoProcess { pid, source })?;
        let own = limits.place(&text).ok_or(CgroupError::Outside { pid })?;
        let accounts: Vec<(&Hierarchy, PathBuf)> = self
            .accounts
            .iter()
            .filter_map(|hierarchy| Some((hierarchy, hierarchy.place(&text)?)))
            .collect();
        // One that vanished since, or has no controller, is left out.
        let levels = own.ancestors().filter_map(|level| {
            let mut read = limits.level(level)?;
            if limits.version != Version::V2 {
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
fn has(mount: &MountInfo, version: Version) -> bool {
    match version {
        Version::V1(controller) => {
            mount.fs_type == "cgroup" && mount.super_options.contains_key(controller)
        }
        Version::V2 => mount.fs_type == "cgroup2",
    }
}

impl Hierarchy {
    /// From the text of a process's `cgroup`: its path in this hierarchy, below the mount.
    fn place(&self, text: &str) -> Option<PathBuf> {
        let path = text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let is_this = match self.version {
                Version::V1(name) => controllers.split(',').any(|c| c == name),
                Version::V2 => id == "0" && controllers.is_empty(),
            };
            is_this.then_some(path)
        })?;
        // The cgroup has been removed, the process is a zombie: its ancestors are still there.
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        self.root.place(Path::new(path), self.home.as_deref())
    }

    fn file(&self, level: &Path, name: &str) -> Option<String> {
        let below = level.strip_prefix("/").ok()?;
        fs::read_to_string(self.mount.join(below).join(name)).ok()
    }

    /// Limit and counters of a level; `None` when it has none.
    fn level(&self, path: &Path) -> Option<CgroupLevel> {
        let stat = self.file(path, "cpu.stat")?;
        let is_top = path == Path::new("/");
        let (quota_us, period_us) = match self.version {
            Version::V2 => match self.file(path, "cpu.max") {
                Some(text) => cpu_max(&text),
                // The root has no limit; any other has no controller.
                None if is_top => (None, 0),
                None => return None,
            },
            Version::V1(_) => {
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

    fn usage_ns(&self, level: &Path) -> Option<u64> {
        match self.version {
            Version::V1(_) => self.file(level, "cpuacct.usage")?.trim().parse().ok(),
            Version::V2 => value(&self.file(level, "cpu.stat")?, "usage_usec").map(|us| us * 1000),
        }
    }
}

/// Quota and period of a `cpu.max`, microseconds.
fn cpu_max(text: &str) -> (Option<u64>, u64) {
    let mut words = text.split_whitespace();
    let quota = words.next().and_then(|word| word.parse().ok());
    let period = words.next().and_then(|word| word.parse().ok());
    (quota, period.unwrap_or(0))
}

fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?.strip_prefix(' ')?;
        rest.parse().ok()
    })
}

/// Which levels ran out of quota between two readings, own cgroup first, and for how long their
/// threads were kept from running, nanoseconds as the kernel counts them: run queues of several
/// CPUs add up, and a time in progress is counted at its end (0 so far, then).
///
/// A level that is in one of the readings only (the process moved) is left out.
#[must_use]
pub fn ran_out(before: &CgroupUse, after: &CgroupUse) -> Vec<(String, u64)> {
    let levels = after.levels.iter().filter_map(|now| {
        let was = before.levels.iter().find(|was| was.path == now.path)?;
        // Counters that fell: another cgroup of the same name, all of it new.
        let anew =
            now.throttled_periods < was.throttled_periods || now.throttled_ns < was.throttled_ns;
        let (periods, ns) = if anew {
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
