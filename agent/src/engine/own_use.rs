//! What the agent itself uses.

use procfs::{
    WithCurrentSystemInfo as _,
    process::{LimitValue, Process},
};

use crate::domain::OwnUse;

/// Reads /proc at each call; `None` when that fails.
pub(super) fn own_use() -> Option<OwnUse> {
    let own = Process::myself().ok()?;
    let stat = own.stat().ok()?;
    let ticks = procfs::ticks_per_second();
    let limits = own.limits().ok();
    Some(OwnUse {
        resident_bytes: stat.rss_bytes().get(),
        cpu_ns: (stat.utime + stat.stime) * (1_000_000_000 / ticks.max(1)),
        open_fds: own.fd_count().ok()? as u64,
        max_fds: limits.and_then(|limits| match limits.max_open_files.soft_limit {
            LimitValue::Value(most) => Some(most),
            LimitValue::Unlimited => None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_something() {
        let own = own_use().expect("/proc is there");
        assert!(own.resident_bytes > 1 << 20 && own.open_fds >= 3);
    }
}
