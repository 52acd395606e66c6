//! The sessions: which of their messages are drawn, and their counters.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, Write},
    sync::Arc,
};

use hdrhistogram::Histogram;

use super::{
    backlog::Backlog,
    filter::TraceFilter,
    messages::MessageLanes,
    output::TraceOutput,
    proto::{TrackDescriptor, UNIT_COUNT, UNIT_TIME_NS},
    stalls::StallSlices,
    track::{TrackId, TrackOrder},
    writer::PacketWriter,
};
use crate::domain::{Message, Moment, SessionId, Waiting, units::sanitize_name};

/// The length of the windows over which ages are counted.
const WINDOW_NS: u64 = 100_000_000;
/// The largest age in the quantile, a day, as in all outputs; older messages count as so old.
const MAX_AGE_NS: u64 = 86_400_000_000_000;

/// When a message was sent and handed off on the clock of the trace, nanoseconds; negative before
/// the clock began.
#[derive(Clone, Copy, Debug)]
pub(super) struct TraceSpan {
    pub(super) sent_ns: i64,
    pub(super) handed_off_ns: i64,
}

/// The tracks of one session.
#[derive(Debug)]
struct SessionTrack {
    group: TrackId,
    messages: MessageLanes,
    age_last: TrackId,
    age_p99: TrackId,
    backlog_track: TrackId,
    backlog: Backlog,
    window: Option<AgeWindow>,
    ages: Histogram<u32>,
    stalls: StallSlices,
    /// The number of messages that were slow enough to be drawn.
    slow: u64,
}

/// The window that is being counted.
#[derive(Debug)]
struct AgeWindow {
    number: u64,
    /// When the latest message was handed off, and its age.
    last_ns: u64,
    last_age_ns: i64,
}

impl SessionTrack {
    fn new<W: Write>(
        id: &SessionId,
        process: TrackId,
        filter: &TraceFilter,
        out: &mut PacketWriter<W>,
    ) -> io::Result<Self> {
        let (sender, target) = (sanitize_name(&id.sender), sanitize_name(&id.target));
        let name = format!("{sender} > {target} :{}", id.local.port());
        let group = out.track(
            Some(process),
            TrackDescriptor {
                name: Some(name.clone()),
                sibling_order_rank: Some(TrackOrder::Session.rank()),
                description: Some(format!("{} from {}", id.local, id.remote)),
                ..TrackDescriptor::default()
            },
        )?;
        let last = "of the message handed off last, every 100 ms; without resends";
        let p99 = "99th percentile over 100 ms, from their beginning on; without resends";
        let backlog = "sent and not handed off, exact at each reading; without resends";
        Ok(Self {
            group,
            messages: MessageLanes::new(process, group, format!("{name} messages"), filter.lanes),
            age_last: out.counter_track(group, "age, last", UNIT_TIME_NS, last)?,
            age_p99: out.counter_track(group, "age, p99", UNIT_TIME_NS, p99)?,
            backlog_track: out.counter_track(group, "backlog", UNIT_COUNT, backlog)?,
            backlog: Backlog::default(),
            window: None,
            stalls: StallSlices::new(group),
            ages: Histogram::new_with_bounds(1, MAX_AGE_NS, 3).map_err(io::Error::other)?,
            slow: 0,
        })
    }

    /// Counts a message, whether it is drawn or not.
    fn count<W: Write>(
        &mut self,
        message: &Message,
        span: TraceSpan,
        out: &mut PacketWriter<W>,
    ) -> io::Result<()> {
        if message.poss_dup {
            return Ok(());
        }
        self.backlog.add(span.sent_ns, span.handed_off_ns);
        let handed_off = span.handed_off_ns.max(0).unsigned_abs();
        let number = handed_off / WINDOW_NS;
        if self.window.as_ref().is_some_and(|w| number > w.number) {
            self.close_window(out)?;
        }
        let age = message.split.age_ns();
        let window = self.window.get_or_insert(AgeWindow {
            number,
            last_ns: handed_off,
            last_age_ns: age,
        });
        // Messages of different threads may come out of turn: the latest hand-off is the last.
        if window.last_ns <= handed_off {
            (window.last_ns, window.last_age_ns) = (handed_off, age);
        }
        self.ages
            .saturating_record(u64::try_from(age).unwrap_or(0).min(MAX_AGE_NS));
        Ok(())
    }

    fn close_window<W: Write>(&mut self, out: &mut PacketWriter<W>) -> io::Result<()> {
        if let Some(window) = self.window.take() {
            let p99 = self.ages.value_at_quantile(0.99);
            out.count(window.last_ns, self.age_last, window.last_age_ns)?;
            out.count(window.number * WINDOW_NS, self.age_p99, p99.cast_signed())?;
            self.ages.reset();
        }
        Ok(())
    }

    fn finish<W: Write>(mut self, at: Moment, trace: &mut TraceOutput<W>) -> io::Result<()> {
        self.stalls.end(at.monotonic_ns, trace)?;
        let out = &mut trace.out;
        self.close_window(out)?;
        for (at, count) in self.backlog.course() {
            // What was sent before the clock began counts from its beginning on.
            out.count(at.max(0).unsigned_abs(), self.backlog_track, count)?;
        }
        Ok(())
    }
}

/// The tracks of all sessions that have not ended.
#[derive(Debug, Default)]
pub(super) struct SessionTracks(HashMap<Arc<SessionId>, SessionTrack>);

impl SessionTracks {
    /// Counts a message, and draws it where the filter and the lanes allow that.
    pub(super) fn message<W: Write>(
        &mut self,
        message: &Message,
        span: TraceSpan,
        filter: &TraceFilter,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        let session = self.session(&message.session, filter, trace)?;
        trace.counts.messages += 1;
        session.count(message, span, &mut trace.out)?;
        let handed_off_ns = u64::try_from(span.handed_off_ns).unwrap_or(0);
        session.stalls.handed_off(handed_off_ns, trace)?;
        let min_age_ns = i128::try_from(filter.slower_than.as_nanos()).unwrap_or(i128::MAX);
        if min_age_ns > 0 && i128::from(message.split.age_ns()) < min_age_ns {
            trace.counts.omitted_faster += 1;
            return Ok(());
        }
        // Of the messages that are slow enough one in so many is drawn, the first of them included.
        let index = session.slow;
        session.slow += 1;
        if !index.is_multiple_of(filter.every.get()) {
            trace.counts.omitted_every += 1;
            return Ok(());
        }
        session.messages.draw(message, span.handed_off_ns, trace)
    }

    /// Draws a stall once a sample of what waits shows that it is over.
    pub(super) fn waiting<W: Write>(
        &mut self,
        id: &Arc<SessionId>,
        waiting: &Waiting,
        filter: &TraceFilter,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        let session = self.session(id, filter, trace)?;
        session.stalls.sample(waiting, trace)
    }

    /// The tracks of a session, declared when it is new.
    fn session<W: Write>(
        &mut self,
        id: &Arc<SessionId>,
        filter: &TraceFilter,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<&mut SessionTrack> {
        match self.0.entry(Arc::clone(id)) {
            Entry::Occupied(session) => Ok(session.into_mut()),
            Entry::Vacant(entry) => {
                let process = trace.process(id.pid)?;
                let session = SessionTrack::new(id, process, filter, &mut trace.out)?;
                Ok(entry.insert(session))
            }
        }
    }

    /// Completes the tracks of a session that ended at this moment.
    pub(super) fn ended<W: Write>(
        &mut self,
        id: &SessionId,
        at: Moment,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        match self.0.remove(id) {
            Some(session) => session.finish(at, trace),
            None => Ok(()),
        }
    }

    /// Completes the tracks of all sessions; the recording ends at this moment.
    pub(super) fn finish<W: Write>(
        &mut self,
        at: Moment,
        trace: &mut TraceOutput<W>,
    ) -> io::Result<()> {
        let mut all: Vec<_> = self.0.drain().collect();
        all.sort_unstable_by_key(|(_, session)| session.group.0);
        all.into_iter()
            .try_for_each(|(_, session)| session.finish(at, trace))
    }
}
