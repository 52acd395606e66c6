//! Packets, out as they come; what repeats is sent once and referred to by number.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use prost::Message as _;

use super::processes::Rank;
use super::proto::{
    Clock, ClockSnapshot, CounterDescriptor, DebugAnnotation, Defaults, Interned, InternedData,
    MERGE_BY_KEY, Packet, TrackDescriptor, TrackEvent, clock, event_type, sequence_flags,
};
use crate::domain::Moment;

/// `Trace.packet`, field 1, length-delimited (`trace.proto`).
const PACKET_TAG: u8 = 0x0a;
/// The number of the one sequence of packets; 0 would be invalid.
const SEQUENCE: u32 = 1;
/// Names referred to by number; those beyond are written out, so that memory stays bounded.
const MOST_NAMES: usize = 10_000;

/// A track, by its number in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Track(pub(super) u64);

/// Arguments of a slice.
pub(super) type Args = Vec<DebugAnnotation>;

#[derive(Debug)]
pub(super) struct Writer<W> {
    out: W,
    bytes: Vec<u8>,
    begun: bool,
    tracks: u64,
    flows: u64,
    names: HashMap<String, u64>,
    arg_names: HashMap<&'static str, u64>,
    categories: HashMap<&'static str, u64>,
    fresh: InternedData,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            bytes: Vec::new(),
            begun: false,
            tracks: 0,
            flows: 0,
            names: HashMap::new(),
            arg_names: HashMap::new(),
            categories: HashMap::new(),
            fresh: InternedData::default(),
        }
    }

    pub(super) fn packet(&mut self, mut packet: Packet) -> io::Result<()> {
        packet.trusted_packet_sequence_id = Some(SEQUENCE);
        let flags = if self.begun {
            sequence_flags::NEEDS_INCREMENTAL_STATE
        } else {
            // Timestamps are of the monotonic clock from here on.
            packet.trace_packet_defaults = Some(Defaults {
                timestamp_clock_id: Some(clock::MONOTONIC),
            });
            sequence_flags::INCREMENTAL_STATE_CLEARED
        };
        packet.sequence_flags = Some(flags);
        self.begun = true;
        if self.fresh != InternedData::default() {
            packet.interned_data = Some(std::mem::take(&mut self.fresh));
        }
        self.bytes.clear();
        self.bytes.push(PACKET_TAG);
        // A vector grows as needed: nothing can go wrong.
        packet
            .encode_length_delimited(&mut self.bytes)
            .map_err(io::Error::other)?;
        self.out.write_all(&self.bytes)
    }

    /// What UTC it is at an instant of the monotonic clock, which is the trace's.
    pub(super) fn clocks(&mut self, at: Moment) -> io::Result<()> {
        let reading = |clock_id, timestamp| Clock {
            clock_id: Some(clock_id),
            timestamp: Some(timestamp),
        };
        self.packet(Packet {
            clock_snapshot: Some(ClockSnapshot {
                clocks: vec![
                    reading(clock::MONOTONIC, at.monotonic_ns),
                    reading(clock::REALTIME, u64::try_from(at.utc_ns).unwrap_or(0)),
                ],
                primary_trace_clock: Some(clock::MONOTONIC),
            }),
            ..Packet::default()
        })
    }

    /// Declares a track.
    pub(super) fn track(
        &mut self,
        parent: Option<Track>,
        mut descriptor: TrackDescriptor,
    ) -> io::Result<Track> {
        self.tracks += 1;
        descriptor.uuid = Some(self.tracks);
        descriptor.parent_uuid = parent.map(|track| track.0);
        self.packet(Packet {
            track_descriptor: Some(descriptor),
            ..Packet::default()
        })?;
        Ok(Track(self.tracks))
    }

    /// Declares a lane: all lanes of one parent and key are shown as one track.
    pub(super) fn lane(
        &mut self,
        parent: Option<Track>,
        name: &str,
        key: u64,
        rank: Rank,
    ) -> io::Result<Track> {
        self.track(
            parent,
            TrackDescriptor {
                name: Some(name.to_owned()),
                sibling_merge_behavior: Some(MERGE_BY_KEY),
                sibling_merge_key_int: Some(key),
                sibling_order_rank: rank.number(),
                ..TrackDescriptor::default()
            },
        )
    }

    /// Declares a counter.
    pub(super) fn counter_track(
        &mut self,
        parent: Track,
        name: &str,
        unit: u32,
        description: &str,
    ) -> io::Result<Track> {
        self.track(
            Some(parent),
            TrackDescriptor {
                name: Some(name.to_owned()),
                description: Some(description.to_owned()),
                counter: Some(CounterDescriptor {
                    unit: Some(unit),
                    ..CounterDescriptor::default()
                }),
                ..TrackDescriptor::default()
            },
        )
    }

    /// A flow from one slice to another, by its number in the trace.
    pub(super) const fn flow(&mut self) -> u64 {
        self.flows += 1;
        self.flows
    }

    fn event(&mut self, at_ns: u64, track: Track, event: TrackEvent) -> io::Result<()> {
        self.packet(Packet {
            timestamp: Some(at_ns),
            track_event: Some(TrackEvent {
                track_uuid: Some(track.0),
                ..event
            }),
            ..Packet::default()
        })
    }

    /// A slice begins: `event` has its name, arguments and flows.
    pub(super) fn begin(&mut self, at_ns: u64, track: Track, event: TrackEvent) -> io::Result<()> {
        let r#type = Some(event_type::SLICE_BEGIN);
        self.event(at_ns, track, TrackEvent { r#type, ..event })
    }

    /// The slice begun last on the track ends.
    pub(super) fn end(&mut self, at_ns: u64, track: Track) -> io::Result<()> {
        let r#type = Some(event_type::SLICE_END);
        self.event(
            at_ns,
            track,
            TrackEvent {
                r#type,
                ..TrackEvent::default()
            },
        )
    }

    pub(super) fn instant(
        &mut self,
        at_ns: u64,
        track: Track,
        event: TrackEvent,
    ) -> io::Result<()> {
        let r#type = Some(event_type::INSTANT);
        self.event(at_ns, track, TrackEvent { r#type, ..event })
    }

    pub(super) fn count(&mut self, at_ns: u64, track: Track, value: i64) -> io::Result<()> {
        let event = TrackEvent {
            r#type: Some(event_type::COUNTER),
            counter_value: Some(value),
            ..TrackEvent::default()
        };
        self.event(at_ns, track, event)
    }

    pub(super) fn level(&mut self, at_ns: u64, track: Track, value: f64) -> io::Result<()> {
        let event = TrackEvent {
            r#type: Some(event_type::COUNTER),
            double_counter_value: Some(value),
            ..TrackEvent::default()
        };
        self.event(at_ns, track, event)
    }

    /// An event with a name that comes again.
    pub(super) fn named(&mut self, category: &'static str, name: &str) -> TrackEvent {
        let name_iid = match self.names.get(name) {
            Some(&iid) => Some(iid),
            None if self.names.len() < MOST_NAMES => {
                let iid = self.names.len() as u64 + 1;
                self.names.insert(name.to_owned(), iid);
                self.fresh.event_names.push(interned(iid, name));
                Some(iid)
            }
            None => None,
        };
        TrackEvent {
            name: name_iid.is_none().then(|| name.to_owned()),
            name_iid,
            ..self.of(category)
        }
    }

    /// An event of a category.
    pub(super) fn of(&mut self, category: &'static str) -> TrackEvent {
        let next = self.categories.len() as u64 + 1;
        let iid = *self.categories.entry(category).or_insert_with(|| {
            self.fresh.event_categories.push(interned(next, category));
            next
        });
        TrackEvent {
            category_iids: vec![iid],
            ..TrackEvent::default()
        }
    }

    fn arg(&mut self, name: &'static str) -> DebugAnnotation {
        let next = self.arg_names.len() as u64 + 1;
        let iid = *self.arg_names.entry(name).or_insert_with(|| {
            self.fresh.debug_annotation_names.push(interned(next, name));
            next
        });
        DebugAnnotation {
            name_iid: Some(iid),
            ..DebugAnnotation::default()
        }
    }

    /// An argument that is a number.
    pub(super) fn int(&mut self, name: &'static str, value: i64) -> DebugAnnotation {
        DebugAnnotation {
            int_value: Some(value),
            ..self.arg(name)
        }
    }

    /// An argument that is a count.
    pub(super) fn uint(&mut self, name: &'static str, value: u64) -> DebugAnnotation {
        DebugAnnotation {
            uint_value: Some(value),
            ..self.arg(name)
        }
    }

    /// An argument that holds or does not.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) -> DebugAnnotation {
        DebugAnnotation {
            bool_value: Some(value),
            ..self.arg(name)
        }
    }

    /// An argument that is a text.
    pub(super) fn text(&mut self, name: &'static str, value: impl Into<String>) -> DebugAnnotation {
        DebugAnnotation {
            string_value: Some(value.into()),
            ..self.arg(name)
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn interned(iid: u64, name: &str) -> Interned {
    Interned {
        iid: Some(iid),
        name: Some(name.to_owned()),
    }
}
