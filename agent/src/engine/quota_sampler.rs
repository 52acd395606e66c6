//! The cgroups of the processes, sampled once an interval: which quota ran out.

use std::collections::HashMap;

use crate::{
    domain::CgroupUse,
    host::{self, Host},
};

/// Where there is one limit only, it is the one that runs out, whenever that is.
fn only_limit(cgroups: &CgroupUse) -> Option<String> {
    let mut limited = cgroups.levels.iter().filter(|l| l.quota_ns.is_some());
    let first = limited.next()?;
    limited.next().is_none().then(|| first.path.clone())
}

/// The latest sample of each process.
#[derive(Debug, Default)]
pub(super) struct QuotaSampler(HashMap<u32, CgroupUse>);

impl QuotaSampler {
    /// Samples the cgroups of a process. Also returns the level whose quota kept threads from running
    /// longest since the sample before.
    pub(super) fn sample(&mut self, pid: u32, host: &Host) -> Option<(CgroupUse, Option<String>)> {
        // A process that has just ended has none.
        let now = host.cgroup_use(pid).ok()?;
        let before = self.0.insert(pid, now.clone());
        let exhausted = match before {
            Some(before) => host::throttled_levels(&before, &now)
                .into_iter()
                .max_by_key(|&(_, ns)| ns)
                .map(|(path, _)| path),
            None => only_limit(&now),
        };
        Some((now, exhausted))
    }

    /// Forgets all other processes.
    pub(super) fn retain(&mut self, pids: &[u32]) {
        self.0.retain(|pid, _| pids.contains(pid));
    }
}
