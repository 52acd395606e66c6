//! CPU limits and what was used of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, Write},
};

use super::{
    processes::{Rank, Tracks},
    proto::{TrackDescriptor, UNIT_TIME_NS, UNIT_UNSPECIFIED},
    writer::{Track, Writer},
};
use crate::domain::{CgroupLevel, CgroupUse, Moment};

#[derive(Debug)]
struct Cgroup {
    used: Track,
    limit: Track,
    throttled: Track,
    /// When it was read last, and what was read.
    read: (Moment, CgroupLevel),
}

/// The levels of all watched processes.
#[derive(Debug, Default)]
pub(super) struct Cgroups(HashMap<(u32, String), Cgroup>);

impl Cgroups {
    pub(super) fn take<W: Write>(
        &mut self,
        at: Moment,
        r#use: &CgroupUse,
        tracks: &mut Tracks,
        out: &mut Writer<W>,
    ) -> io::Result<()> {
        for level in &r#use.levels {
            match self.0.entry((r#use.pid, level.path.clone())) {
                Entry::Occupied(known) => known.into_mut().read(at, level, out)?,
                Entry::Vacant(place) => {
                    let process = tracks.process(r#use.pid, out)?;
                    let cgroup = Cgroup::new(at, level, process, out)?;
                    place.insert(cgroup);
                }
            }
        }
        Ok(())
    }
}

impl Cgroup {
    fn new<W: Write>(
        at: Moment,
        level: &CgroupLevel,
        process: Track,
        out: &mut Writer<W>,
    ) -> io::Result<Self> {
        let descriptor = TrackDescriptor {
            name: Some(format!("cgroup {}", level.path)),
            sibling_order_rank: Rank::Cgroup.number(),
            ..TrackDescriptor::default()
        };
        let group = out.track(Some(process), descriptor)?;
        let used = "CPUs used, from one reading to the next";
        let limit = "CPUs' worth of time allowed; no value: no limit";
        let throttled = "time its threads were kept from running, per second, all of them together";
        let new = Self {
            used: out.counter_track(group, "cores used", UNIT_UNSPECIFIED, used)?,
            limit: out.counter_track(group, "cores limit", UNIT_UNSPECIFIED, limit)?,
            throttled: out.counter_track(group, "throttled per second", UNIT_TIME_NS, throttled)?,
            read: (at, level.clone()),
        };
        if let Some(cores) = level.cores() {
            out.level(at.monotonic_ns, new.limit, cores)?;
        }
        Ok(new)
    }

    /// What was used since the last reading is drawn from that one on: a value holds until the
    /// next.
    fn read<W: Write>(
        &mut self,
        at: Moment,
        level: &CgroupLevel,
        out: &mut Writer<W>,
    ) -> io::Result<()> {
        let (before, last) = std::mem::replace(&mut self.read, (at, level.clone()));
        if last.cores() != level.cores()
            && let Some(cores) = level.cores()
        {
            out.level(at.monotonic_ns, self.limit, cores)?;
        }
        let ns = at.since(before).as_nanos() as f64;
        let risen = |now: u64, then: u64| now.checked_sub(then).map(|rise| rise as f64);
        if ns == 0.0 {
            return Ok(());
        }
        // A cgroup made anew counts from zero: nothing is said of that time.
        if let (Some(now), Some(then)) = (level.usage_ns, last.usage_ns)
            && let Some(used) = risen(now, then)
        {
            out.level(before.monotonic_ns, self.used, used / ns)?;
        }
        if let Some(throttled) = risen(level.throttled_ns, last.throttled_ns) {
            let per_second = throttled / ns * 1e9;
            out.count(before.monotonic_ns, self.throttled, per_second as i64)?;
        }
        Ok(())
    }
}
