//! The stalls of a session as slices.

use std::io::{self, Write};

use super::{
    interner::Interner,
    output::TraceOutput,
    proto::{DebugAnnotation, TrackEvent},
    track::TrackId,
};
use crate::{
    domain::{Part, ReaderActivity, Waiting},
    outputs::text::waiting::amounts,
    verdict::HEALTHY_NS,
};

/// The stalls of one session. A stall is written when it is over, with what its last sample found;
/// until then the latest sample is retained.
#[derive(Debug)]
pub(super) struct StallSlices {
    track: TrackId,
    open: Option<OpenStall>,
}

/// The stall that goes on.
#[derive(Debug)]
struct OpenStall {
    /// Since when something waits and nothing was handed off.
    from_ns: u64,
    latest: Waiting,
}

impl StallSlices {
    /// Creates the slices of a session, to be drawn on its track.
    pub(super) const fn new(track: TrackId) -> Self {
        Self { track, open: None }
    }

    /// A sample of what waits begins a stall, extends it or ends it.
    pub(super) fn sample<W: Write>(
        &mut self,
        waiting: &Waiting,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        if let Some(at_ns) = waiting.last_hand_off_ns {
            // Where the message itself is not in the recording.
            self.handed_off(at_ns, trace)?;
        }
        if !waiting.is_stalled(HEALTHY_NS.cast_unsigned()) {
            return self.end(waiting.at_ns, trace);
        }
        let from_ns = waiting.at_ns - waiting.without_hand_off_ns();
        let open = self.open.take();
        self.open = Some(OpenStall {
            from_ns: open.map_or(from_ns, |open| open.from_ns),
            latest: waiting.clone(),
        });
        Ok(())
    }

    /// A message was handed off: the stall ends, unless that was before it.
    pub(super) fn handed_off<W: Write>(
        &mut self,
        at_ns: u64,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        match &self.open {
            Some(open) if at_ns > open.from_ns => self.end(at_ns, trace),
            _ => Ok(()),
        }
    }

    /// Ends the stall that goes on, if there is one.
    pub(super) fn end<W: Write>(
        &mut self,
        at_ns: u64,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        let Some(OpenStall { from_ns, latest }) = self.open.take() else {
            return Ok(());
        };
        let waits_for = latest.reader.as_ref().and_then(|reader| reader.culprit);
        let waits_for = waits_for.map(|culprit| trace.culprits.name(culprit));
        let out = &mut trace.out;
        let event = TrackEvent {
            name: Some(format!("stalled: {}", amounts(&latest))),
            debug_annotations: args(&latest, waits_for, &mut out.intern),
            ..out.intern.event("stall")
        };
        out.begin(from_ns, self.track, event)?;
        out.end(at_ns.max(from_ns), self.track)
    }
}

fn args(
    waiting: &Waiting,
    waits_for: Option<String>,
    intern: &mut Interner,
) -> Vec<DebugAnnotation> {
    let mut args = vec![
        intern.uint("sampled_at_ns", waiting.at_ns),
        intern.uint("in_hand", waiting.in_hand.messages),
        intern.uint("in_hand_bytes", waiting.in_hand.bytes),
        intern.uint("queued_bytes", waiting.queued.bytes),
        intern.int("waiting_age_ns", waiting.age_ns()),
        intern.flag("lower_bound", waiting.is_lower_bound),
    ];
    if let Some(messages) = waiting.queued.messages {
        args.push(intern.uint("queued_messages", messages));
    }
    if let Some(since_ns) = waiting.window_closed_since_ns {
        args.push(intern.uint("window_closed_ns", waiting.since(since_ns)));
    }
    for part in Part::ALL {
        let ns = waiting.split.matrix().part(part);
        if ns != 0 {
            args.push(intern.int(part.name(), ns));
        }
    }
    if let Some(reader) = &waiting.reader {
        reader_args(&mut args, waiting, reader, intern);
    }
    if let Some(waits_for) = waits_for {
        args.push(intern.text("waits_for", waits_for));
    }
    args
}

fn reader_args(
    args: &mut Vec<DebugAnnotation>,
    waiting: &Waiting,
    reader: &ReaderActivity,
    intern: &mut Interner,
) {
    args.push(intern.uint("tid", reader.tid.into()));
    args.push(intern.text("state", reader.state.name()));
    args.push(intern.uint("state_ns", waiting.since(reader.since_ns)));
    if !reader.deadlock.is_empty() {
        let threads: Vec<_> = reader.deadlock.iter().map(ToString::to_string).collect();
        args.push(intern.text("deadlock", threads.join(", ")));
    }
}
