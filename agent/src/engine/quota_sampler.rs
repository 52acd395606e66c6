//! Which cgroup's quota ran out, looked at once an interval.

use std::collections::HashMap;

use crate::{domain::CgroupUse, host};

use super::names::Names;

/// Where there is one limit only, it is the one that runs out, whenever that is.
fn only_limit(cgroups: &CgroupUse) -> Option<String> {
    let mut limited = cgroups.levels.iter().filter(|l| l.quota_ns.is_some());
    let first = limited.next()?;
    limited.next().is_none().then(|| first.path.clone())
}

/// The latest reading, by process.
#[derive(Debug, Default)]
pub(super) struct Quotas(HashMap<u32, CgroupUse>);

impl Quotas {
    /// Reads the cgroups of a process: what there is to tell, and the level whose threads were kept
    /// from running longest since the reading before.
    pub(super) fn look(&mut self, pid: u32, names: &Names) -> Option<(CgroupUse, Option<String>)> {
        // A process that has just ended has none.
        let now = names.0.cgroup_use(pid).ok()?;
        let before = self.0.insert(pid, now.clone());
        let ran_out = match before {
            Some(before) => host::throttled_levels(&before, &now)
                .into_iter()
                .max_by_key(|&(_, ns)| ns)
                .map(|(path, _)| path),
            None => only_limit(&now),
        };
        Some((now, ran_out))
    }

    /// Forgets processes that are read no longer.
    pub(super) fn keep(&mut self, pids: &[u32]) {
        self.0.retain(|pid, _| pids.contains(pid));
    }
}
