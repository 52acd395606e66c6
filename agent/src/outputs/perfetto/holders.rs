//! The threads that held locks: their holds, and samples of what they did.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, Write},
};

use super::{
    culprits::lock,
    output::TraceOutput,
    proto::{TrackDescriptor, TrackEvent},
    row::SliceRow,
    track::TrackOrder,
};
use crate::domain::{Culprit, HolderSample, ThreadName, Wait};

/// The rows of threads that held locks, by tid.
#[derive(Debug, Default)]
pub(super) struct HolderTracks(HashMap<u32, SliceRow>);

impl HolderTracks {
    /// Draws the hold that a wait is charged to, and returns the flow from there to the wait;
    /// `None` when the culprit is no holder. The hold must be written before the wait: of two
    /// slices that begin at one instant, the first is where a flow starts.
    pub(super) fn hold<W: Write>(
        &mut self,
        wait: &Wait,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<Option<u64>> {
        let culprit = trace.culprits.get(wait.culprit).cloned();
        let Some(Culprit::Holder { lock: held, thread }) = culprit.as_deref() else {
            return Ok(None);
        };
        let (from, to) = (wait.from_ns, wait.to_ns.max(wait.from_ns));
        let row = self.row(thread, trace)?;
        let Some(track) = row.place(from, to, &mut trace.out)? else {
            trace.counts.omitted_holds += 1;
            return Ok(None);
        };
        trace.counts.holds += 1;
        let out = &mut trace.out;
        let flow = out.flow();
        let args = vec![
            out.intern.text("lock", lock(held)),
            out.intern.uint("waiter", wait.tid.into()),
            out.intern.uint("charged_ns", wait.ns),
            out.intern.uint("timeouts", wait.timeouts.into()),
        ];
        let name = format!("holds {}", lock(held));
        let event = TrackEvent {
            debug_annotations: args,
            flow_ids: vec![flow],
            ..out.intern.named_event("hold", &name)
        };
        out.begin(from, track, event)?;
        out.end(to, track)?;
        Ok(Some(flow))
    }

    /// Draws a sample of what a holder was doing.
    pub(super) fn sample<W: Write>(
        &mut self,
        sample: &HolderSample,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        let culprit = trace.culprits.get(sample.culprit).cloned();
        let Some(holder) = culprit.as_deref().and_then(Culprit::thread) else {
            return Ok(());
        };
        trace.counts.samples += 1;
        let row = self.row(holder, trace)?;
        let out = &mut trace.out;
        let track = row.lane(0, out)?;
        let activity = &sample.activity;
        let state = activity.state.name();
        let mut args = vec![
            out.intern.text("state", state),
            out.intern.uint("waiter", sample.waiter.into()),
        ];
        if let Some(call) = &activity.call {
            args.push(out.intern.text("call", call.as_str()));
        }
        if let Some(function) = &activity.function {
            args.push(out.intern.text("function", function.name.as_str()));
            args.push(out.intern.text("place", function.location.as_str()));
        }
        let name = activity.function.as_ref().map(|function| &function.name);
        let name = name
            .or(activity.call.as_ref())
            .map_or(state, String::as_str);
        let event = TrackEvent {
            debug_annotations: args,
            ..out.intern.named_event("sample", name)
        };
        out.instant(sample.at_ns, track, event)
    }

    fn row<W: Write>(
        &mut self,
        thread: &ThreadName,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<&mut SliceRow> {
        let entry = match self.0.entry(thread.tid) {
            Entry::Occupied(row) => return Ok(row.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        let pid = trace.processes.process_of(thread.tid);
        let parent = match pid.unwrap_or(thread.pid) {
            0 => None,
            pid => Some(trace.process(pid)?),
        };
        let name = match thread.tid {
            0 => "unknown thread: holds".to_owned(),
            tid => format!("{} {tid}: holds", thread.comm),
        };
        let descriptor = TrackDescriptor {
            name: Some(name.clone()),
            sibling_order_rank: Some(TrackOrder::Holder.rank()),
            description: Some("locks that others waited for, while they waited".to_owned()),
            ..TrackDescriptor::default()
        };
        let track = trace.out.track(parent, descriptor)?;
        Ok(entry.insert(SliceRow::on(track, name, TrackOrder::Holder)))
    }
}
