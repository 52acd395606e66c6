//! The waits of tracked threads.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    io::{self, Write},
};

use super::{
    holders::HolderTracks, output::TraceOutput, proto::TrackEvent, row::SliceRow, track::TrackOrder,
};
use crate::domain::{HolderSample, Wait};

/// The largest number of culprits of a wait that are drawn as one slice.
const MAX_CULPRITS: usize = 64;
/// The largest number of waits that are held back until the first message of their thread names its
/// process.
const MAX_EARLY: usize = 4096;

/// The rows of tracked threads, and those of the holders that they waited for.
#[derive(Debug, Default)]
pub(super) struct WaitTracks {
    rows: HashMap<u32, SliceRow>,
    holders: HolderTracks,
    /// The latest wait of each thread, once per culprit: all of them become one slice.
    pending: BTreeMap<u32, Vec<Wait>>,
    /// Waits of threads whose process is unknown so far.
    early: VecDeque<Wait>,
}

impl WaitTracks {
    /// Takes a wait, and holds it back while the process of its thread is unknown.
    pub(super) fn wait<W: Write>(
        &mut self,
        wait: Wait,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        if trace.processes.process_of(wait.tid).is_some() || self.rows.contains_key(&wait.tid) {
            return self.add(&wait, trace);
        }
        self.early.push_back(wait);
        if self.early.len() > MAX_EARLY
            && let Some(oldest) = self.early.pop_front()
        {
            return self.add(&oldest, trace);
        }
        Ok(())
    }

    /// Records that a thread has read a message for a process.
    pub(super) fn reads<W: Write>(
        &mut self,
        tid: u32,
        pid: u32,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        if trace.processes.process_of(tid).is_some() {
            return Ok(());
        }
        trace.thread(pid, tid, "ingest")?;
        let (now, later): (VecDeque<_>, _) = self.early.drain(..).partition(|w| w.tid == tid);
        self.early = later;
        now.iter().try_for_each(|wait| self.add(wait, trace))
    }

    /// Draws what a holder was doing when it was sampled.
    pub(super) fn sample<W: Write>(
        &mut self,
        sample: &HolderSample,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        self.holders.sample(sample, trace)
    }

    /// Draws the waits that were held back.
    pub(super) fn finish<W: Write>(&mut self, trace: &mut TraceOutput<W>) -> io::Result<()> {
        let early = std::mem::take(&mut self.early);
        for wait in &early {
            self.add(wait, trace)?;
        }
        let pending = std::mem::take(&mut self.pending);
        pending
            .values()
            .try_for_each(|waits| self.draw(waits, trace))
    }

    /// Adds a wait to the pending one of its thread, when it is the same wait charged to another
    /// culprit. Otherwise the pending one is complete and drawn.
    fn add<W: Write>(&mut self, wait: &Wait, trace: &mut TraceOutput<W>) -> io::Result<()> {
        let pending = self.pending.entry(wait.tid).or_default();
        let same = |w: &Wait| (w.part, w.from_ns, w.to_ns) == (wait.part, wait.from_ns, wait.to_ns);
        if pending.len() < MAX_CULPRITS && pending.first().is_none_or(same) {
            pending.push(*wait);
            return Ok(());
        }
        let complete = std::mem::replace(pending, vec![*wait]);
        self.draw(&complete, trace)
    }

    /// Draws one wait, which is given once for each of its culprits.
    fn draw<W: Write>(&mut self, waits: &[Wait], trace: &mut TraceOutput<W>) -> io::Result<()> {
        let mut waits = waits.to_vec();
        waits.sort_by_key(|wait| std::cmp::Reverse(wait.ns));
        let Some(wait) = waits.first().copied() else {
            return Ok(());
        };
        trace.counts.waits += 1;
        let (from, to) = (wait.from_ns, wait.to_ns.max(wait.from_ns));
        let row = self.row(wait.tid, trace)?;
        let Some(track) = row.place(from, to, &mut trace.out)? else {
            trace.counts.omitted_waits += 1;
            return Ok(());
        };
        let mut flows = Vec::new();
        for wait in &waits {
            flows.extend(self.holders.hold(wait, trace)?);
        }
        let event = TrackEvent {
            terminating_flow_ids: flows,
            ..event(&wait, &waits[1..], trace)
        };
        trace.out.begin(from, track, event)?;
        trace.out.end(to, track)
    }

    fn row<W: Write>(&mut self, tid: u32, trace: &mut TraceOutput<W>) -> io::Result<&mut SliceRow> {
        let entry = match self.rows.entry(tid) {
            Entry::Occupied(row) => return Ok(row.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        let name = format!("waits of {tid}");
        let row = match trace.processes.process_of(tid) {
            Some(pid) => SliceRow::on(trace.thread(pid, tid, "")?, name, TrackOrder::Thread),
            None => SliceRow::new(None, name, TrackOrder::Thread),
        };
        Ok(entry.insert(row))
    }
}

/// The slice of a wait: its name and arguments. `others` are the same wait for its other culprits.
fn event<W: Write>(wait: &Wait, others: &[Wait], trace: &mut TraceOutput<W>) -> TrackEvent {
    let culprits = &trace.culprits;
    let intern = &mut trace.out.intern;
    let name = culprits.name(wait.culprit);
    let mut args = vec![
        intern.text("part", wait.part.name()),
        intern.text("culprit", name.clone()),
        intern.uint("charged_ns", wait.ns),
    ];
    if wait.timeouts > 0 {
        args.push(intern.uint("timeouts", wait.timeouts.into()));
    }
    let others: Vec<_> = others
        .iter()
        .map(|wait| format!("{} ns: {}", wait.ns, culprits.name(wait.culprit)))
        .collect();
    let mut title = format!("{}: {name}", wait.part.name());
    if !others.is_empty() {
        args.push(intern.text("others", others.join("; ")));
        title.push_str(" and others");
    }
    TrackEvent {
        debug_annotations: args,
        ..intern.named_event("wait", &title)
    }
}
