//! Writes trace packets in the order in which they come.

use std::io::{self, Write};

use prost::Message as _;

use super::{
    interner::Interner,
    proto::{
        ClockReading, ClockSnapshot, CounterDescriptor, MERGE_BY_KEY, TracePacket,
        TracePacketDefaults, TrackDescriptor, TrackEvent, clock, event_type, sequence_flags,
    },
    track::{TrackId, TrackOrder},
};
use crate::domain::Moment;

/// `Trace.packet`, field 1, length-delimited (`trace.proto`).
const PACKET_TAG: u8 = 0x0a;
/// The number of the one sequence of packets; 0 is invalid.
const SEQUENCE_ID: u32 = 1;

/// Writes packets, and numbers the tracks and flows of the trace.
#[derive(Debug)]
pub(super) struct PacketWriter<W> {
    out: W,
    bytes: Vec<u8>,
    begun: bool,
    tracks: u64,
    flows: u64,
    /// Names that are sent once and referred to by number.
    pub(super) intern: Interner,
}

impl<W: Write> PacketWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            bytes: Vec::new(),
            begun: false,
            tracks: 0,
            flows: 0,
            intern: Interner::default(),
        }
    }

    pub(super) fn packet(&mut self, mut packet: TracePacket) -> io::Result<()> {
        packet.trusted_packet_sequence_id = Some(SEQUENCE_ID);
        let flags = if self.begun {
            sequence_flags::NEEDS_INCREMENTAL_STATE
        } else {
            // The timestamps of all packets are of the monotonic clock.
            packet.trace_packet_defaults = Some(TracePacketDefaults {
                timestamp_clock_id: Some(clock::MONOTONIC),
            });
            sequence_flags::INCREMENTAL_STATE_CLEARED
        };
        packet.sequence_flags = Some(flags);
        self.begun = true;
        packet.interned_data = self.intern.take_new();
        self.bytes.clear();
        self.bytes.push(PACKET_TAG);
        // Encoding fails only when a buffer is full, and a vector grows.
        packet
            .encode_length_delimited(&mut self.bytes)
            .map_err(io::Error::other)?;
        self.out.write_all(&self.bytes)
    }

    /// Writes a snapshot of both clocks: the monotonic one, which is the trace's, and UTC.
    pub(super) fn clocks(&mut self, at: Moment) -> io::Result<()> {
        let reading = |clock_id, timestamp| ClockReading {
            clock_id: Some(clock_id),
            timestamp: Some(timestamp),
        };
        self.packet(TracePacket {
            clock_snapshot: Some(ClockSnapshot {
                clocks: vec![
                    reading(clock::MONOTONIC, at.monotonic_ns),
                    reading(clock::REALTIME, u64::try_from(at.utc_ns).unwrap_or(0)),
                ],
                primary_trace_clock: Some(clock::MONOTONIC),
            }),
            ..TracePacket::default()
        })
    }

    /// Declares a track.
    pub(super) fn track(
        &mut self,
        parent: Option<TrackId>,
        mut descriptor: TrackDescriptor,
    ) -> io::Result<TrackId> {
        self.tracks += 1;
        descriptor.uuid = Some(self.tracks);
        descriptor.parent_uuid = parent.map(|track| track.0);
        self.packet(TracePacket {
            track_descriptor: Some(descriptor),
            ..TracePacket::default()
        })?;
        Ok(TrackId(self.tracks))
    }

    /// Declares a lane. All lanes of one parent and key are shown as one track.
    pub(super) fn lane(
        &mut self,
        parent: Option<TrackId>,
        name: &str,
        key: u64,
        order: TrackOrder,
    ) -> io::Result<TrackId> {
        self.track(
            parent,
            TrackDescriptor {
                name: Some(name.to_owned()),
                sibling_merge_behavior: Some(MERGE_BY_KEY),
                sibling_merge_key_int: Some(key),
                sibling_order_rank: Some(order.rank()),
                ..TrackDescriptor::default()
            },
        )
    }

    /// Declares a counter track.
    pub(super) fn counter_track(
        &mut self,
        parent: TrackId,
        name: &str,
        unit: u32,
        description: &str,
    ) -> io::Result<TrackId> {
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

    /// The number of a new flow from one slice to another.
    pub(super) const fn flow(&mut self) -> u64 {
        self.flows += 1;
        self.flows
    }

    fn event(&mut self, at_ns: u64, track: TrackId, event: TrackEvent) -> io::Result<()> {
        self.packet(TracePacket {
            timestamp: Some(at_ns),
            track_event: Some(TrackEvent {
                track_uuid: Some(track.0),
                ..event
            }),
            ..TracePacket::default()
        })
    }

    /// Begins a slice; `event` has its name, arguments and flows.
    pub(super) fn begin(
        &mut self,
        at_ns: u64,
        track: TrackId,
        event: TrackEvent,
    ) -> io::Result<()> {
        let r#type = Some(event_type::SLICE_BEGIN);
        self.event(at_ns, track, TrackEvent { r#type, ..event })
    }

    /// Ends the slice that was begun last on the track.
    pub(super) fn end(&mut self, at_ns: u64, track: TrackId) -> io::Result<()> {
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

    /// Writes an event without a duration.
    pub(super) fn instant(
        &mut self,
        at_ns: u64,
        track: TrackId,
        event: TrackEvent,
    ) -> io::Result<()> {
        let r#type = Some(event_type::INSTANT);
        self.event(at_ns, track, TrackEvent { r#type, ..event })
    }

    /// Writes a whole value of a counter track.
    pub(super) fn count(&mut self, at_ns: u64, track: TrackId, value: i64) -> io::Result<()> {
        let event = TrackEvent {
            r#type: Some(event_type::COUNTER),
            counter_value: Some(value),
            ..TrackEvent::default()
        };
        self.event(at_ns, track, event)
    }

    /// Writes a fractional value of a counter track.
    pub(super) fn level(&mut self, at_ns: u64, track: TrackId, value: f64) -> io::Result<()> {
        let event = TrackEvent {
            r#type: Some(event_type::COUNTER),
            double_counter_value: Some(value),
            ..TrackEvent::default()
        };
        self.event(at_ns, track, event)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
