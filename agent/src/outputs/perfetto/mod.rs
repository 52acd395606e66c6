//! A trace for the Perfetto UI (<https://ui.perfetto.dev>), from what the model was told.
//!
//! Packets go out as they come; Perfetto sorts them by their timestamps. What is kept is bounded
//! per session, thread and cgroup. All timestamps are of `CLOCK_MONOTONIC`; snapshots of both
//! clocks tell UTC.
//!
//! A message is a slice from when it was sent until it was handed off, its stages are slices below
//! it. In flight and held back may alternate; they are drawn one after the other. Where the venue's
//! clock is ahead, the time in flight has no length in the drawing; the arguments always have the
//! exact figures.

mod backlog;
mod cgroups;
mod culprits;
mod offsets;
mod placement;
mod processes;
mod proto;
mod sessions;
mod threads;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    io::{self, BufWriter, Write},
    num::NonZeroU64,
    time::Duration,
};

use crate::domain::{Message, Moment, Update};
use crate::pipeline::Sink;

use cgroups::Cgroups;
use culprits::Culprits;
use offsets::Offsets;
use processes::Tracks;
use proto::{Attribute, Packet, TraceAttributes, TrackDescriptor, TrackEvent};
use sessions::{Instants, Sessions};
use threads::Threads;
use writer::Writer;

/// Large enough for a thousand packets per system call.
const BUFFER: usize = 1 << 17;
/// How often UTC is told anew when nobody sets the clock, for its drift.
const CLOCKS_EVERY: Duration = Duration::from_secs(10);

/// Which messages are drawn. Counters are of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of the messages of a session that are slow enough, one in so many.
    pub every: NonZeroU64,
    /// Only messages at least this old when they were handed off.
    pub slower_than: Duration,
    /// How many messages of a session are drawn at most at any instant.
    pub lanes: usize,
}

impl Filter {
    /// Perfetto's UI draws so many at 50 frames a second and more (v52 without a GPU, scrolling
    /// through a backlog of 2,400); with 2,400 lanes there are pauses of 0.4 s.
    pub const LANES: usize = 1000;
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            every: NonZeroU64::MIN,
            slower_than: Duration::ZERO,
            lanes: Self::LANES,
        }
    }
}

/// What has become of the inputs, in numbers. The trace has the same, as its attributes and as
/// arguments of the instant `exported` on the track `tag52`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Messages with an age.
    pub messages: u64,
    /// Of these, drawn.
    pub drawn: u64,
    /// Not drawn: younger than [`Filter::slower_than`]. Of messages with a negative age all, unless
    /// it is zero.
    pub left_out_faster: u64,
    /// Not drawn: not the one in [`Filter::every`].
    pub left_out_every: u64,
    /// Not drawn: more messages at that time than [`Filter::lanes`]; those drawn are chosen evenly.
    pub left_out_no_lane: u64,
    /// Not drawn: sent before the machine was started, where the trace's clock begins.
    pub left_out_before_boot: u64,
    /// Messages without an age.
    pub excluded: u64,
    /// Events the agent lost while it recorded.
    pub lost_events: u64,
    /// Waits of watched threads.
    pub waits: u64,
    /// Of these, not drawn: too many overlap.
    pub left_out_waits: u64,
    /// Holds of locks that were waited for.
    pub holds: u64,
    /// Holds not drawn: too many overlap.
    pub left_out_holds: u64,
    /// Samples of what holders were doing.
    pub samples: u64,
}

impl Exported {
    /// Its numbers by their names.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("messages", self.messages),
            ("drawn", self.drawn),
            ("left_out_faster", self.left_out_faster),
            ("left_out_every", self.left_out_every),
            ("left_out_no_lane", self.left_out_no_lane),
            ("left_out_before_boot", self.left_out_before_boot),
            ("excluded", self.excluded),
            ("lost_events", self.lost_events),
            ("waits", self.waits),
            ("left_out_waits", self.left_out_waits),
            ("holds", self.holds),
            ("left_out_holds", self.left_out_holds),
            ("samples", self.samples),
        ]
    }
}

/// A trace being written.
#[derive(Debug)]
pub struct Trace<W: Write> {
    out: Writer<BufWriter<W>>,
    filter: Filter,
    exported: Exported,
    offsets: Offsets,
    /// When UTC was told last.
    clocks: Option<Moment>,
    last: Moment,
    tracks: Tracks,
    culprits: Culprits,
    sessions: Sessions,
    threads: Threads,
    cgroups: Cgroups,
    failed: Option<io::Error>,
}

impl<W: Write> Sink for Trace<W> {
    /// Moments come in order.
    fn publish(&mut self, at: Moment, update: Update) {
        // Intervals have no place in a trace, whose time is continuous.
        if self.failed.is_none() && !matches!(update, Update::IntervalEnded) {
            self.failed = self.write(at, &update).err();
        }
    }
}

impl<W: Write> Trace<W> {
    /// Begins a trace.
    pub fn new(out: W, filter: Filter) -> Self {
        Self {
            out: Writer::new(BufWriter::with_capacity(BUFFER, out)),
            filter,
            exported: Exported::default(),
            offsets: Offsets::default(),
            clocks: None,
            last: Moment::default(),
            tracks: Tracks::default(),
            culprits: Culprits::default(),
            sessions: Sessions::default(),
            threads: Threads::default(),
            cgroups: Cgroups::default(),
            failed: None,
        }
    }

    fn write(&mut self, at: Moment, update: &Update) -> io::Result<()> {
        self.tell_clocks(at)?;
        self.last = at;
        match update {
            Update::Message(message) => self.message(at, message),
            Update::Excluded(..) => {
                self.exported.excluded += 1;
                Ok(())
            }
            Update::SessionEnded(session) => self.sessions.ended(session, &mut self.out),
            Update::Health(health) => {
                self.exported.lost_events = health.lost().map(|(_, count)| count).sum();
                Ok(())
            }
            Update::Culprit(id, culprit) => {
                self.culprits.learn(*id, culprit);
                Ok(())
            }
            Update::Wait(wait) => self.threads.wait(
                *wait,
                (&mut self.tracks, &self.culprits),
                (&mut self.out, &mut self.exported),
            ),
            Update::Cgroup(r#use) => self
                .cgroups
                .take(at, r#use, &mut self.tracks, &mut self.out),
            Update::HolderSample(sample) => self.threads.sample(
                sample,
                (&mut self.tracks, &self.culprits),
                (&mut self.out, &mut self.exported),
            ),
            // None has a place in time.
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
        self.threads.reads(
            (message.tid, message.session.pid),
            (&mut self.tracks, &self.culprits),
            (&mut self.out, &mut self.exported),
        )?;
        let offset = self.offsets.of(message.handed_off_ns, at);
        let monotonic = |utc_ns: i64| {
            let ns = i128::from(utc_ns) - offset;
            i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
        };
        let instants = Instants {
            sent_ns: monotonic(message.sent.utc_ns),
            handed_off_ns: monotonic(message.handed_off_ns),
        };
        self.sessions.message(
            message,
            instants,
            &self.filter,
            (&mut self.tracks, &self.culprits),
            (&mut self.out, &mut self.exported),
        )
    }

    fn tell_clocks(&mut self, at: Moment) -> io::Result<()> {
        let set = self.offsets.track(at);
        let due = |told: Moment| at.since(told) >= CLOCKS_EVERY;
        if set || self.clocks.is_none_or(due) {
            self.clocks = Some(at);
            self.out.clocks(at)?;
        }
        Ok(())
    }

    /// Writes what was kept, and what was left out.
    ///
    /// # Errors
    /// When the trace could not be written; it is of no use then.
    pub fn finish(mut self) -> io::Result<Exported> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.threads.finish(
            (&mut self.tracks, &self.culprits),
            (&mut self.out, &mut self.exported),
        )?;
        self.sessions.finish(&mut self.out)?;
        let numbers = self.exported.named();
        let out = &mut self.out;
        let number = |(name, count): (&str, u64)| Attribute {
            key: Some(format!("tag52.{name}")),
            long_value: Some(i64::try_from(count).unwrap_or(i64::MAX)),
        };
        out.packet(Packet {
            trace_attributes: Some(TraceAttributes {
                attribute: numbers.into_iter().map(number).collect(),
            }),
            ..Packet::default()
        })?;
        let descriptor = TrackDescriptor {
            name: Some("tag52".to_owned()),
            description: Some("what was exported and what was left out".to_owned()),
            ..TrackDescriptor::default()
        };
        let track = out.track(None, descriptor)?;
        let args = numbers.map(|(name, count)| out.uint(name, count)).to_vec();
        let event = TrackEvent {
            debug_annotations: args,
            ..out.named("export", "exported")
        };
        out.instant(self.last.monotonic_ns, track, event)?;
        out.flush()?;
        Ok(self.exported)
    }
}
