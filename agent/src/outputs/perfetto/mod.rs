//! A trace for the Perfetto UI (<https://ui.perfetto.dev>), from the updates of a recording.
//!
//! Packets are written as they come; Perfetto sorts them by their timestamps. What is retained is
//! bounded per session, thread and cgroup. All timestamps are of `CLOCK_MONOTONIC`; snapshots of
//! both clocks give UTC.
//!
//! A message is a slice from when it was sent until it was handed off; its stages are slices below
//! it. Time in flight and time held back may alternate; they are drawn one after the other. Where
//! the venue's clock is ahead, the time in flight has no length in the drawing; the arguments
//! always have the exact figures.
//!
//! [`sessions`] count and draw [`messages`] and [`stalls`], [`waits`] the waits of threads with their [`holders`],
//! [`cgroups`] the limits. All draw on [`output`], which writes packets ([`writer`], [`interner`])
//! of Perfetto's format ([`proto`]).

mod backlog;
mod cgroups;
mod counts;
mod culprits;
mod filter;
mod holders;
mod interner;
mod messages;
mod offsets;
mod output;
mod placement;
mod processes;
mod proto;
mod row;
mod sessions;
mod stalls;
mod track;
mod waits;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    io::{self, BufWriter, Write},
    time::Duration,
};

pub use counts::ExportCounts;
pub use filter::TraceFilter;

use crate::domain::{Message, Moment, Sink, Update};

use cgroups::CgroupTracks;
use offsets::UtcOffsets;
use output::TraceOutput;
use proto::{TraceAttribute, TraceAttributes, TracePacket, TrackDescriptor, TrackEvent};
use sessions::{SessionTracks, TraceSpan};
use waits::WaitTracks;

/// The size of the write buffer: about a thousand packets per system call.
const BUFFER_BYTES: usize = 1 << 17;
/// How often a snapshot of the clocks is written while UTC only drifts.
const CLOCK_SNAPSHOT_INTERVAL: Duration = Duration::from_secs(10);

/// A trace being written.
#[derive(Debug)]
pub struct Trace<W: Write> {
    output: TraceOutput<BufWriter<W>>,
    filter: TraceFilter,
    offsets: UtcOffsets,
    /// The time of the latest snapshot of the clocks.
    clocks: Option<Moment>,
    last: Moment,
    sessions: SessionTracks,
    waits: WaitTracks,
    cgroups: CgroupTracks,
    failed: Option<io::Error>,
}

impl<W: Write> Sink for Trace<W> {
    /// Draws an update. Moments must come in order.
    fn publish(&mut self, at: Moment, update: Update) {
        self.last = at;
        // Intervals have no place in a trace, whose time is continuous.
        if self.failed.is_none() && !matches!(update, Update::IntervalEnded) {
            self.failed = self.write(at, &update).err();
        }
    }
}

impl<W: Write> Trace<W> {
    /// Begins a trace.
    pub fn new(out: W, filter: TraceFilter) -> Self {
        Self {
            output: TraceOutput::new(BufWriter::with_capacity(BUFFER_BYTES, out)),
            filter,
            offsets: UtcOffsets::default(),
            clocks: None,
            last: Moment::default(),
            sessions: SessionTracks::default(),
            waits: WaitTracks::default(),
            cgroups: CgroupTracks::default(),
            failed: None,
        }
    }

    fn write(&mut self, at: Moment, update: &Update) -> io::Result<()> {
        self.write_clocks(at)?;
        let output = &mut self.output;
        match update {
            Update::Message(message) => self.message(at, message),
            Update::Excluded(..) => {
                output.counts.excluded += 1;
                Ok(())
            }
            Update::SessionEnded(session) => self.sessions.ended(session, at, output),
            Update::Health(health) => {
                output.counts.lost_events = health.lost().map(|(_, count)| count).sum();
                Ok(())
            }
            Update::Culprit(id, culprit) => {
                output.culprits.define(*id, culprit);
                Ok(())
            }
            Update::Wait(wait) => self.waits.wait(*wait, output),
            Update::Cgroup(r#use) => self.cgroups.draw(at, r#use, output),
            Update::HolderSample(sample) => self.waits.sample(sample, output),
            Update::Waiting(session, waiting) => {
                self.sessions
                    .waiting(session, waiting, &self.filter, output)
            }
            // None of these has a place in time.
            Update::Tap(..)
            | Update::LockWaits(..)
            | Update::ThreadUse(_)
            | Update::Process(_)
            | Update::ProcessEnded(_)
            | Update::CulpritRetired(_)
            | Update::Window(..)
            | Update::IntervalEnded => Ok(()),
        }
    }

    fn message(&mut self, at: Moment, message: &Message) -> io::Result<()> {
        let output = &mut self.output;
        self.waits.reads(message.tid, message.session.pid, output)?;
        let offset = self.offsets.of(message.handed_off_ns, at);
        let monotonic = |utc_ns: i64| {
            let ns = i128::from(utc_ns) - offset;
            i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
        };
        let span = TraceSpan {
            sent_ns: monotonic(message.sent.utc_ns),
            handed_off_ns: monotonic(message.handed_off_ns),
        };
        self.sessions.message(message, span, &self.filter, output)
    }

    /// Writes a snapshot of the clocks when UTC was set, and every ten seconds.
    fn write_clocks(&mut self, at: Moment) -> io::Result<()> {
        let set = self.offsets.observe(at);
        let due = |latest: Moment| at.since(latest) >= CLOCK_SNAPSHOT_INTERVAL;
        if set || self.clocks.is_none_or(due) {
            self.clocks = Some(at);
            self.output.out.clocks(at)?;
        }
        Ok(())
    }

    /// Completes the trace, and returns how much of the recording it has and omits.
    ///
    /// # Errors
    /// When the trace could not be written; it is incomplete and of no use then.
    pub fn finish(mut self) -> io::Result<ExportCounts> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.waits.finish(&mut self.output)?;
        self.sessions.finish(self.last, &mut self.output)?;
        self.write_counts()?;
        self.output.out.flush()?;
        Ok(self.output.counts)
    }

    /// Writes the counts as attributes of the trace, and as an instant that the UI shows.
    fn write_counts(&mut self) -> io::Result<()> {
        let numbers = self.output.counts.named();
        let out = &mut self.output.out;
        let number = |(name, count): (&str, u64)| TraceAttribute {
            key: Some(format!("tag52.{name}")),
            long_value: Some(i64::try_from(count).unwrap_or(i64::MAX)),
        };
        out.packet(TracePacket {
            trace_attributes: Some(TraceAttributes {
                attribute: numbers.into_iter().map(number).collect(),
            }),
            ..TracePacket::default()
        })?;
        let descriptor = TrackDescriptor {
            name: Some("tag52".to_owned()),
            description: Some("what was exported and what was omitted".to_owned()),
            ..TrackDescriptor::default()
        };
        let track = out.track(None, descriptor)?;
        let args = numbers
            .map(|(name, count)| out.intern.uint(name, count))
            .to_vec();
        let event = TrackEvent {
            debug_annotations: args,
            ..out.intern.named_event("export", "exported")
        };
        out.instant(self.last.monotonic_ns, track, event)
    }
}
