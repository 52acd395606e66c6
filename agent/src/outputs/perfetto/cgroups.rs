//! The CPU limits of cgroups and their CPU use, as counters.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, Write},
};

use super::{
    output::TraceOutput,
    proto::{TrackDescriptor, UNIT_TIME_NS, UNIT_UNSPECIFIED},
    track::{TrackId, TrackOrder},
    writer::PacketWriter,
};
use crate::domain::{CgroupLevel, CgroupUse, Moment};

#[derive(Debug)]
struct CgroupCounters {
    used: TrackId,
    limit: TrackId,
    throttled: TrackId,
    /// The latest reading and its time.
    read: (Moment, CgroupLevel),
}

/// The counters of the cgroups of all processes, by pid and path.
#[derive(Debug, Default)]
pub(super) struct CgroupTracks(HashMap<(u32, String), CgroupCounters>);

impl CgroupTracks {
    /// Draws a reading of the cgroups of a process.
    pub(super) fn draw<W: Write>(
        &mut self,
        at: Moment,
        r#use: &CgroupUse,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        for level in &r#use.levels {
            match self.0.entry((r#use.pid, level.path.clone())) {
                Entry::Occupied(counters) => {
                    counters.into_mut().read(at, level, &mut trace.out)?;
                }
                Entry::Vacant(entry) => {
                    let process = trace.process(r#use.pid)?;
                    entry.insert(CgroupCounters::new(at, level, process, &mut trace.out)?);
                }
            }
        }
        Ok(())
    }
}

impl CgroupCounters {
    fn new<W: Write>(
        at: Moment,
        level: &CgroupLevel,
        process: TrackId,
        out: &mut PacketWriter<W>,
    ) -> io::Result<Self> {
        let descriptor = TrackDescriptor {
            name: Some(format!("cgroup {}", level.path)),
            sibling_order_rank: Some(TrackOrder::Cgroup.rank()),
            ..TrackDescriptor::default()
        };
        let group = out.track(Some(process), descriptor)?;
        let used = "CPUs used, from one reading to the next";
        let limit = "CPUs' worth of time allowed; no value: no limit";
        let throttled = "time its threads were throttled, per second, all of them together";
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

    /// Draws the use since the last reading, from that reading on: a value holds until the next
    /// one.
    fn read<W: Write>(
        &mut self,
        at: Moment,
        level: &CgroupLevel,
        out: &mut PacketWriter<W>,
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
        // A cgroup that was created anew counts from zero: nothing is drawn for that time.
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
