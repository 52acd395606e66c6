//! A session: its messages as slices of four stages, and its counters.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
};

use hdrhistogram::Histogram;

use super::{
    Exported, Filter,
    backlog::Backlog,
    culprits::Culprits,
    placement::{Lanes, Spread},
    processes::{Rank, Tracks},
    proto::{TrackDescriptor, TrackEvent, UNIT_COUNT, UNIT_TIME_NS},
    writer::{Args, Track, Writer},
};
use crate::{
    domain::units::sanitize_name,
    domain::{Matrix, Message, Part, SessionId, Stage},
};

/// What an age of the trace is counted over.
const WINDOW_NS: u64 = 100_000_000;
/// Older ones count as so old in the quantile: a day, as in all outputs.
const CEILING_NS: u64 = 86_400_000_000_000;
/// Charges of a message that are told in its arguments.
const MOST_CHARGES: usize = 8;

#[derive(Debug)]
struct Session {
    group: Track,
    process: Track,
    name: String,
    spread: Spread,
    lanes: Lanes,
    lane_tracks: Vec<Track>,
    age_last: Track,
    age_p99: Track,
    backlog_track: Track,
    backlog: Backlog,
    /// The window being counted, by its number, and the message handed off last in it.
    window: Option<(u64, u64, i64)>,
    ages: Histogram<u32>,
    /// Messages slow enough to be drawn.
    slow: u64,
}

impl Session {
    fn new<W: Write>(
        id: &SessionId,
        process: Track,
        filter: &Filter,
        out: &mut Writer<W>,
    ) -> io::Result<Self> {
        let (sender, target) = (sanitize_name(&id.sender), sanitize_name(&id.target));
        let name = format!("{sender} > {target} :{}", id.local.port());
        let group = out.track(
            Some(process),
            TrackDescriptor {
                name: Some(name.clone()),
                sibling_order_rank: Rank::Session.number(),
                description: Some(format!("{} from {}", id.local, id.remote)),
                ..TrackDescriptor::default()
            },
        )?;
        let last = "of the message handed off last, every 100 ms; without resends";
        let p99 = "99th percentile over 100 ms, from their beginning on; without resends";
        let backlog = "sent and not handed off, exact at each reading; without resends";
        Ok(Self {
            group,
            process,
            name: format!("{name} messages"),
            spread: Spread::new(filter.lanes),
            lanes: Lanes::new(filter.lanes),
            lane_tracks: Vec::new(),
            age_last: out.counter_track(group, "age, last", UNIT_TIME_NS, last)?,
            age_p99: out.counter_track(group, "age, p99", UNIT_TIME_NS, p99)?,
            backlog_track: out.counter_track(group, "backlog", UNIT_COUNT, backlog)?,
            backlog: Backlog::default(),
            window: None,
            ages: Histogram::new_with_bounds(1, CEILING_NS, 3).map_err(io::Error::other)?,
            slow: 0,
        })
    }

    /// Every message counts, drawn or not.
    fn count<W: Write>(
        &mut self,
        message: &Message,
        at: Instants,
        out: &mut Writer<W>,
    ) -> io::Result<()> {
        if message.poss_dup {
            return Ok(());
        }
        self.backlog.message(at.sent_ns, at.handed_off_ns);
        let handed_off = at.handed_off_ns.max(0).unsigned_abs();
        let window = handed_off / WINDOW_NS;
        if self.window.is_some_and(|(current, ..)| window > current) {
            self.close_window(out)?;
        }
        let age = message.split.age_ns();
        // Threads of one session may be told out of turn: the later one is the last.
        match &mut self.window {
            Some((_, last, last_age)) if *last <= handed_off => {
                (*last, *last_age) = (handed_off, age);
            }
            Some(_) => {}
            None => self.window = Some((window, handed_off, age)),
        }
        self.ages
            .saturating_record(u64::try_from(age).unwrap_or(0).min(CEILING_NS));
        Ok(())
    }

    fn close_window<W: Write>(&mut self, out: &mut Writer<W>) -> io::Result<()> {
        if let Some((window, last, age)) = self.window.take() {
            let p99 = self.ages.value_at_quantile(0.99);
            out.count(last, self.age_last, age)?;
            out.count(window * WINDOW_NS, self.age_p99, p99.cast_signed())?;
            self.ages.reset();
        }
        Ok(())
    }

    /// A slice with its stages below it, ending with the hand-off.
    fn draw<W: Write>(
        &mut self,
        message: &Message,
        at: Instants,
        culprits: &Culprits,
        out: &mut Writer<W>,
        exported: &mut Exported,
    ) -> io::Result<()> {
        let matrix = message.split.matrix();
        let lengths = Stage::ALL.map(|stage| matrix.stage(stage).max(0));
        let from = at.handed_off_ns - lengths.iter().sum::<i64>();
        let (Ok(from), Ok(to)) = (u64::try_from(from), u64::try_from(at.handed_off_ns)) else {
            exported.left_out_before_boot += 1;
            return Ok(());
        };
        let lane = if self.spread.is_due(from, to) {
            self.lanes.take(from, to)
        } else {
            None
        };
        let Some(lane) = lane else {
            exported.left_out_no_lane += 1;
            return Ok(());
        };
        if lane == self.lane_tracks.len() {
            let (process, key) = (Some(self.process), self.group.0);
            let track = out.lane(process, &self.name, key, Rank::Messages)?;
            self.lane_tracks.push(track);
        }
        let track = self.lane_tracks[lane];
        self.spread.drawn();
        exported.drawn += 1;
        let event = TrackEvent {
            name: Some(format!("{} #{}", message.msg_type.as_str(), message.seq)),
            debug_annotations: message_args(message, culprits, out),
            ..out.of("message")
        };
        out.begin(from, track, event)?;
        let mut from = from;
        for (stage, length) in Stage::ALL.into_iter().zip(lengths) {
            if matrix.nonzero().all(|(s, _, _)| s != stage) {
                continue;
            }
            let mut args = vec![out.int("ns", matrix.stage(stage))];
            let parts = Part::ALL.map(|part| (part, matrix.get(stage, part)));
            for (part, ns) in parts.into_iter().filter(|&(_, ns)| ns != 0) {
                args.push(out.int(part.name(), ns));
            }
            let event = TrackEvent {
                debug_annotations: args,
                ..out.named("stage", &stage_name(stage, matrix))
            };
            out.begin(from, track, event)?;
            from += length.unsigned_abs();
            out.end(from, track)?;
        }
        out.end(to, track)
    }

    fn finish<W: Write>(mut self, out: &mut Writer<W>) -> io::Result<()> {
        self.close_window(out)?;
        for (at, count) in self.backlog.course() {
            // What was sent before the clock began counts from its beginning on.
            out.count(at.max(0).unsigned_abs(), self.backlog_track, count)?;
        }
        Ok(())
    }
}

/// A stage and the part that it mostly is, if there is one: the UI's colours go by the name.
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

fn message_args<W: Write>(message: &Message, culprits: &Culprits, out: &mut Writer<W>) -> Args {
    let split = &message.split;
    let mut args = vec![
        out.int("age_ns", split.age_ns()),
        out.uint("seq", message.seq),
        out.text("msg_type", message.msg_type.as_str()),
        out.uint("tid", message.tid.into()),
        out.flag("poss_dup", message.poss_dup),
        out.text("hand_off", message.hand_off.name()),
        out.int("sent_utc_ns", message.sent.utc_ns),
        out.int("sent_resolution_ns", message.sent.resolution_ns),
    ];
    for part in Part::ALL {
        let ns = split.matrix().part(part);
        if ns != 0 {
            args.push(out.int(part.name(), ns));
        }
    }
    if split.skew_ns() > 0 {
        args.push(out.int("skew_ns", split.skew_ns()));
        let note = "the venue's clock is ahead: the slice begins later than what it was sent at";
        args.push(out.text("skew", note));
    }
    if message.ack_pending_ns > 0 {
        args.push(out.uint("ack_pending_ns", message.ack_pending_ns));
    }
    if message.arrived_ns.is_none() {
        args.push(out.flag("arrival_unseen", true));
    }
    let mut charges: Vec<_> = message.charges.iter().filter(|c| c.ns > 0).collect();
    charges.sort_unstable_by_key(|charge| std::cmp::Reverse(charge.ns));
    if !charges.is_empty() {
        let told = charges.iter().take(MOST_CHARGES).map(|charge| {
            let (part, ns) = (charge.part.name(), charge.ns);
            format!("{part} {ns} ns: {}", culprits.name(charge.culprit))
        });
        let mut text = told.collect::<Vec<_>>().join("; ");
        if charges.len() > MOST_CHARGES {
            text.push_str(&format!("; and {} more", charges.len() - MOST_CHARGES));
        }
        args.push(out.text("charged", text));
    }
    args
}

/// Where a message lies on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instants {
    pub(super) sent_ns: i64,
    pub(super) handed_off_ns: i64,
}

/// All sessions that have not ended.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Arc<SessionId>, Session>);

impl Sessions {
    pub(super) fn message<W: Write>(
        &mut self,
        message: &Message,
        at: Instants,
        filter: &Filter,
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        let process = tracks.process(message.session.pid, out)?;
        if !self.0.contains_key(&message.session) {
            let session = Session::new(&message.session, process, filter, out)?;
            self.0.insert(Arc::clone(&message.session), session);
        }
        let Some(session) = self.0.get_mut(&message.session) else {
            return Ok(());
        };
        exported.messages += 1;
        session.count(message, at, out)?;
        let bar = i128::try_from(filter.slower_than.as_nanos()).unwrap_or(i128::MAX);
        if bar > 0 && i128::from(message.split.age_ns()) < bar {
            exported.left_out_faster += 1;
            return Ok(());
        }
        // Of those slow enough one in so many, the first among them.
        let place = session.slow;
        session.slow += 1;
        if !place.is_multiple_of(filter.every.get()) {
            exported.left_out_every += 1;
            return Ok(());
        }
        session.draw(message, at, culprits, out, exported)
    }

    pub(super) fn ended<W: Write>(
        &mut self,
        id: &SessionId,
        out: &mut Writer<W>,
    ) -> io::Result<()> {
        match self.0.remove(id) {
            Some(session) => session.finish(out),
            None => Ok(()),
        }
    }

    pub(super) fn finish<W: Write>(&mut self, out: &mut Writer<W>) -> io::Result<()> {
        let mut all: Vec<_> = self.0.drain().collect();
        all.sort_unstable_by_key(|(_, session)| session.group.0);
        all.into_iter()
            .try_for_each(|(_, session)| session.finish(out))
    }
}
