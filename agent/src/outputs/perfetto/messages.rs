//! The messages of a session as slices of their stages.

use std::io::{self, Write};

use super::{
    culprits::CulpritDictionary,
    interner::Interner,
    output::TraceOutput,
    placement::{DisjointLanes, EvenSampler},
    proto::{DebugAnnotation, TrackEvent},
    track::{TrackId, TrackOrder},
};
use crate::domain::{Charge, Matrix, Message, Part, Stage};

/// The largest number of charges of a message in its arguments.
const MAX_CHARGES: usize = 8;

/// The lanes that the messages of one session are drawn on.
#[derive(Debug)]
pub(super) struct MessageLanes {
    process: TrackId,
    group: TrackId,
    name: String,
    sampler: EvenSampler,
    lanes: DisjointLanes,
    tracks: Vec<TrackId>,
}

impl MessageLanes {
    /// Creates lanes below the track of the process; `group` is the track of the session.
    pub(super) const fn new(process: TrackId, group: TrackId, name: String, lanes: usize) -> Self {
        Self {
            process,
            group,
            name,
            sampler: EvenSampler::new(lanes),
            lanes: DisjointLanes::new(lanes),
            tracks: Vec::new(),
        }
    }

    /// Draws a message as a slice that ends with the hand-off, with its stages below it.
    pub(super) fn draw<W: Write>(
        &mut self,
        message: &Message,
        handed_off_ns: i64,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        let matrix = message.split.matrix();
        let lengths = Stage::ALL.map(|stage| matrix.stage(stage).max(0));
        let from = handed_off_ns - lengths.iter().sum::<i64>();
        let (Ok(from), Ok(to)) = (u64::try_from(from), u64::try_from(handed_off_ns)) else {
            trace.counts.omitted_before_boot += 1;
            return Ok(());
        };
        let lane = if self.sampler.is_due(from, to) {
            self.lanes.take(from, to)
        } else {
            None
        };
        let Some(lane) = lane else {
            trace.counts.omitted_no_lane += 1;
            return Ok(());
        };
        let out = &mut trace.out;
        if lane == self.tracks.len() {
            let (process, key) = (Some(self.process), self.group.0);
            let track = out.lane(process, &self.name, key, TrackOrder::Messages)?;
            self.tracks.push(track);
        }
        let track = self.tracks[lane];
        self.sampler.record_drawn();
        trace.counts.drawn += 1;
        let event = TrackEvent {
            name: Some(format!("{} #{}", message.msg_type.as_str(), message.seq)),
            debug_annotations: message_args(message, &trace.culprits, &mut out.intern),
            ..out.intern.event("message")
        };
        out.begin(from, track, event)?;
        let mut from = from;
        for (stage, length) in Stage::ALL.into_iter().zip(lengths) {
            if matrix.nonzero().all(|(s, _, _)| s != stage) {
                continue;
            }
            let event = stage_event(stage, matrix, &mut out.intern);
            out.begin(from, track, event)?;
            from += length.unsigned_abs();
            out.end(from, track)?;
        }
        out.end(to, track)
    }
}

/// The slice of a stage, with its parts as arguments.
fn stage_event(stage: Stage, matrix: &Matrix, intern: &mut Interner) -> TrackEvent {
    let mut args = vec![intern.int("ns", matrix.stage(stage))];
    let parts = Part::ALL.map(|part| (part, matrix.get(stage, part)));
    for (part, ns) in parts.into_iter().filter(|&(_, ns)| ns != 0) {
        args.push(intern.int(part.name(), ns));
    }
    TrackEvent {
        debug_annotations: args,
        ..intern.named_event("stage", &stage_name(stage, matrix))
    }
}

/// A stage and the part that is more than half of it, if there is one: the colours of the UI follow
/// the name.
fn stage_name(stage: Stage, matrix: &Matrix) -> String {
    let name = stage.name();
    let most = Part::ALL
        .into_iter()
        .filter(|&part| part != Part::Network)
        .find(|&part| 2 * i128::from(matrix.get(stage, part)) > i128::from(matrix.stage(stage)));
    most.map_or_else(
        || name.to_owned(),
        |part| format!("{name}: {}", part.name()),
    )
}

fn message_args(
    message: &Message,
    culprits: &CulpritDictionary,
    intern: &mut Interner,
) -> Vec<DebugAnnotation> {
    let split = &message.split;
    let mut args = vec![
        intern.int("age_ns", split.age_ns()),
        intern.uint("seq", message.seq),
        intern.text("msg_type", message.msg_type.as_str()),
        intern.uint("tid", message.tid.into()),
        intern.flag("poss_dup", message.poss_dup),
        intern.text("hand_off", message.hand_off.name()),
        intern.int("sent_utc_ns", message.sent.utc_ns),
        intern.int("sent_resolution_ns", message.sent.resolution_ns),
    ];
    for part in Part::ALL {
        let ns = split.matrix().part(part);
        if ns != 0 {
            args.push(intern.int(part.name(), ns));
        }
    }
    if split.skew_ns() > 0 {
        args.push(intern.int("skew_ns", split.skew_ns()));
        let note = "the venue's clock is ahead: the slice begins later than what it was sent at";
        args.push(intern.text("skew", note));
    }
    if message.ack_pending_ns > 0 {
        args.push(intern.uint("ack_pending_ns", message.ack_pending_ns));
    }
    if message.arrived_ns.is_none() {
        args.push(intern.flag("arrival_unseen", true));
    }
    if let Some(charged) = charged(&message.charges, culprits) {
        args.push(intern.text("charged", charged));
    }
    args
}

/// The largest charges of a message with the names of their culprits; `None` when there are none.
fn charged(charges: &[Charge], culprits: &CulpritDictionary) -> Option<String> {
    let mut charges: Vec<_> = charges.iter().filter(|c| c.ns > 0).collect();
    charges.sort_unstable_by_key(|charge| std::cmp::Reverse(charge.ns));
    let listed = charges.iter().take(MAX_CHARGES).map(|charge| {
        let (part, ns) = (charge.part.name(), charge.ns);
        format!("{part} {ns} ns: {}", culprits.name(charge.culprit))
    });
    let mut text = listed.collect::<Vec<_>>().join("; ");
    if charges.len() > MAX_CHARGES {
        text.push_str(&format!("; and {} more", charges.len() - MAX_CHARGES));
    }
    (!charges.is_empty()).then_some(text)
}
