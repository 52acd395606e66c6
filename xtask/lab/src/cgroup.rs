//! A cgroup with a CPU quota for a test, on cgroup v1 or v2.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// A cgroup for a test. Dropping it removes the group.
#[derive(Debug)]
pub struct Cgroup {
    mount: PathBuf,
    path: PathBuf,
    unified: bool,
}

/// The fields of `cpu.stat` that both versions have.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuStat {
    /// Periods in which the group ran out of quota.
    pub throttled_periods: u64,
    /// Time the group's run queues stood throttled, summed over CPUs, nanoseconds.
    pub throttled_ns: u64,
}

impl CpuStat {
    /// Parses a `cpu.stat` of either version.
    pub fn parse(text: &str) -> Result<Self> {
        let value = |name: &str| {
            text.lines().find_map(|line| {
                line.strip_prefix(name)?
                    .strip_prefix(' ')?
                    .parse::<u64>()
                    .ok()
            })
        };
        let throttled_ns =
            value("throttled_time").or_else(|| value("throttled_usec").map(|micros| micros * 1000));
        Ok(Self {
            throttled_periods: value("nr_throttled").context("cpu.stat without nr_throttled")?,
            throttled_ns: throttled_ns.context("cpu.stat without throttled time")?,
        })
    }
}

impl Cgroup {
    /// Creates the group `tag52-test-PID-N` with `quota` in every `period`.
    pub fn with_quota(quota: Duration, period: Duration) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (mount, unified) = cpu_controller()?;
        if unified {
            // Not enabled on a fresh machine. Some containers refuse it; then the write below
            // fails.
            let _ = fs::write(mount.join("cgroup.subtree_control"), "+cpu");
        }
        let group = Self {
            path: mount.join(format!("tag52-test-{}-{number}", std::process::id())),
            mount,
            unified,
        };
        fs::create_dir_all(&group.path)
            .with_context(|| format!("cannot create {}", group.path.display()))?;
        group.set_quota(quota, period)?;
        Ok(group)
    }

    /// Changes its quota to `quota` in every `period`.
    pub fn set_quota(&self, quota: Duration, period: Duration) -> Result<()> {
        let (quota, period) = (quota.as_micros(), period.as_micros());
        if self.unified {
            return self.write("cpu.max", &format!("{quota} {period}"));
        }
        self.write("cpu.cfs_period_us", &period.to_string())?;
        self.write("cpu.cfs_quota_us", &quota.to_string())
    }

    /// Creates the cgroup of a container in a burstable pod as a kubelet with the `cgroupfs` driver
    /// does: a request of 250m, a limit of `quota` in every `period`. The first group returned is
    /// the container's, followed by its ancestors, which have to outlive it.
    pub fn in_pod(uid: &str, id: &str, quota: Duration, period: Duration) -> Result<Vec<Self>> {
        let (mount, unified) = cpu_controller()?;
        let mut groups: Vec<Self> = Vec::new();
        let mut path = mount.clone();
        for name in ["kubepods", "burstable", &format!("pod{uid}"), id] {
            if unified {
                let _ = fs::write(path.join("cgroup.subtree_control"), "+cpu");
            }
            path.push(name);
            // On a node of a cluster the outer groups exist.
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
            let group = Self {
                mount: mount.clone(),
                path: path.clone(),
                unified,
            };
            groups.insert(0, group);
        }
        groups[0].set_quota(quota, period)?;
        if unified {
            // 250m by the newer of Kubernetes' two formulas.
            groups[0].write("cpu.weight", "35")?;
        } else {
            groups[0].write("cpu.shares", "256")?;
        }
        Ok(groups)
    }

    /// Creates a child group without a quota. It has to be dropped first.
    pub fn child(&self, name: &str) -> Result<Self> {
        let group = Self {
            mount: self.mount.clone(),
            path: self.path.join(name),
            unified: self.unified,
        };
        fs::create_dir(&group.path)
            .with_context(|| format!("cannot create {}", group.path.display()))?;
        Ok(group)
    }

    /// Moves a process, with all its threads, into the group.
    pub fn add(&self, pid: i32) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Returns its path below the mount, with a leading `/`.
    pub fn below(&self) -> String {
        let below = self.path.strip_prefix(&self.mount).unwrap_or(&self.path);
        format!("/{}", below.display())
    }

    /// Returns the path of its `cpu.stat`.
    pub fn cpu_stat(&self) -> PathBuf {
        self.path.join("cpu.stat")
    }

    /// Reads `cpu.stat`.
    pub fn stat(&self) -> Result<CpuStat> {
        CpuStat::parse(&fs::read_to_string(self.cpu_stat()).context("cannot read cpu.stat")?)
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.path.join(file);
        fs::write(&path, value)
            .with_context(|| format!("cannot write {value} to {}", path.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Processes that are still dying keep the group busy for a moment.
        for _ in 0..100 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        eprintln!("warning: {} could not be removed", self.path.display());
    }
}

/// Returns the mount point of the cpu controller, and whether it is cgroup v2.
fn cpu_controller() -> Result<(PathBuf, bool)> {
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let Some(mount) = left.split(' ').nth(4).map(PathBuf::from) else {
            continue;
        };
        let mut right = right.split(' ');
        let (kind, options) = (right.next(), right.nth(1).unwrap_or_default());
        let unified = kind == Some("cgroup2");
        let has_cpu = if unified {
            let controllers =
                fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
            controllers
                .split_whitespace()
                .any(|controller| controller == "cpu")
        } else {
            kind == Some("cgroup") && options.split(',').any(|option| option == "cpu")
        };
        if has_cpu {
            return Ok((mount, unified));
        }
    }
    bail!("no cgroup hierarchy with the cpu controller is mounted")
}
