//! What the agent reads of cgroups, against real ones with a quota.

use std::time::Duration;

use lab::cgroup::Cgroup;
use tag52::domain::CgroupUse;
use tag52::host::{Host, throttled_levels};
use workspace::child::Guarded;

use live::{one_at_a_time, rival};

const QUOTA: Duration = Duration::from_millis(20);
const PERIOD: Duration = Duration::from_millis(100);

/// Two readings with 400 ms of `busy` between them.
fn observe(host: &Host, busy: &Guarded) -> (CgroupUse, CgroupUse) {
    let pid = u32::try_from(busy.pid()).expect("a pid");
    let before = host.cgroup_use(pid).expect("read");
    std::thread::sleep(Duration::from_millis(400));
    (before, host.cgroup_use(pid).expect("read"))
}

/// Only the group with the quota ran out, by as much as the kernel says.
fn check(limited: &Cgroup, before: &CgroupUse, after: &CgroupUse) {
    let path = limited.below();
    let out = throttled_levels(before, after);
    let [(level, ns)] = &out[..] else {
        panic!("not one level: {out:?}")
    };
    assert!(level.ends_with(&path), "{level} is not {path}");
    assert!(*ns > 0);
    let most = limited.stat().expect("its counters").throttled_ns;
    assert!(*ns <= most, "{ns} of {most}");
    let level = after.levels.iter().find(|l| l.path == *level);
    let level = level.expect("listed");
    assert_eq!(level.cores(), Some(0.2));
    let limits = after.levels.iter().filter(|l| l.quota_ns.is_some());
    assert_eq!(limits.count(), 1, "{after:?}");
    assert_eq!(after.levels.last().expect("a root").path, "/");
}

#[test]
fn the_level_that_ran_out_is_the_one_with_the_quota() {
    let _guard = one_at_a_time();
    let host = Host::new().expect("a host");
    let group = Cgroup::with_quota(QUOTA, PERIOD).expect("a group");
    let busy = rival(0);
    group.add(busy.pid()).expect("moved");
    let (before, after) = observe(&host, &busy);
    assert!(after.levels[0].path.ends_with(&group.below()));
    check(&group, &before, &after);
    drop(busy);
}

#[test]
fn a_quota_on_the_parent_is_found_there_and_a_move_is_followed() {
    let _guard = one_at_a_time();
    let host = Host::new().expect("a host");
    let parent = Cgroup::with_quota(QUOTA, PERIOD).expect("a group");
    let child = parent.child("child").expect("a child");
    let busy = rival(0);
    let (free, _) = observe(&host, &busy);
    child.add(busy.pid()).expect("moved");
    let (before, after) = observe(&host, &busy);
    // Before it moved it was elsewhere: what ran out since cannot be determined.
    assert!(throttled_levels(&free, &after).is_empty());
    check(&parent, &before, &after);
    // On v2 the child has no controller of its own; on v1 every group has.
    let own = &after.levels[0].path;
    assert!(own.ends_with(&child.below()) || own.ends_with(&parent.below()));
    drop(busy);
    drop(child);
}
