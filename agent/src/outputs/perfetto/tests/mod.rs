//! Tests of whole traces. `tests/perfetto` has Perfetto's own trace processor read them.

mod stalls;

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message as _;

use super::{
    proto::{DebugAnnotation, TracePacket, event_type},
    *,
};
use crate::domain::{
    CulpritId, Part, Stage, Wait,
    fixtures::{any_message, message, session},
};

/// The messages of the samples are sent at this instant of UTC, an hour after the machine was
/// started.
const SENT_UTC_NS: i64 = 1_700_000_000_000_000_000;
const SENT_NS: u64 = 3_600_000_000_000;

#[derive(Clone, PartialEq, prost::Message)]
struct WholeTrace {
    #[prost(message, repeated, tag = "1")]
    packet: Vec<TracePacket>,
}

fn later(ns: i64) -> Moment {
    Moment {
        monotonic_ns: SENT_NS.saturating_add_signed(ns),
        utc_ns: SENT_UTC_NS + ns,
    }
}

fn export(filter: TraceFilter, inputs: &[(Moment, Update)]) -> (Vec<TracePacket>, ExportCounts) {
    let mut bytes = Vec::new();
    let mut trace = Trace::new(&mut bytes, filter);
    for (at, input) in inputs {
        trace.publish(*at, input.clone());
    }
    let exported = trace.finish().expect("a vector takes all");
    let trace = WholeTrace::decode(&*bytes).expect("packets");
    (trace.packet, exported)
}

/// Begun slices of a track: what they are and how long.
fn slices(packets: &[TracePacket]) -> Vec<(u64, TrackEvent, u64, usize)> {
    let mut tracks: BTreeMap<u64, Vec<(u64, &TrackEvent)>> = BTreeMap::new();
    for packet in packets {
        if let (Some(at), Some(event)) = (packet.timestamp, &packet.track_event) {
            let track = event.track_uuid.expect("a track");
            tracks.entry(track).or_default().push((at, event));
        }
    }
    let mut done = Vec::new();
    for events in tracks.values_mut() {
        // As Perfetto does: by time, and as they came.
        events.sort_by_key(|(at, _)| *at);
        let mut open = Vec::new();
        for &(at, event) in &*events {
            match event.r#type {
                Some(event_type::SLICE_BEGIN) => open.push((at, event)),
                Some(event_type::SLICE_END) => {
                    let (from, begun) = open.pop().expect("begun before");
                    done.push((from, begun.clone(), at - from, open.len()));
                }
                _ => {}
            }
        }
        assert!(open.is_empty(), "all slices end");
    }
    done
}

fn arg(packets: &[TracePacket], event: &TrackEvent, name: &str) -> Option<DebugAnnotation> {
    let iid = packets
        .iter()
        .filter_map(|packet| packet.interned_data.as_ref())
        .flat_map(|data| &data.debug_annotation_names)
        .find(|interned| interned.name.as_deref() == Some(name))?
        .iid;
    event
        .debug_annotations
        .iter()
        .find(|a| a.name_iid == iid)
        .cloned()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    })]
    #[test]
    fn every_message_is_a_slice_of_its_stages(
        mut all in prop::collection::vec((0_u16..3).prop_flat_map(any_message), 1..40),
    ) {
        all.sort_by_key(|m| m.handed_off_ns);
        let inputs: Vec<_> = all
            .iter()
            .map(|m| (later(m.handed_off_ns - SENT_UTC_NS), Update::Message(Box::new(m.clone()))))
            .collect();
        let filter = TraceFilter { lanes: usize::MAX, ..TraceFilter::default() };
        let (packets, exported) = export(filter, &inputs);
        prop_assert_eq!(exported.drawn, all.len() as u64);
        let slices = slices(&packets);
        let (mut messages, stages): (Vec<_>, Vec<_>) = slices.iter().partition(|s| s.3 == 0);
        messages.sort_by_key(|(from, event, length, _)| (from + length, event.track_uuid));
        prop_assert_eq!(messages.len(), all.len());
        let int = |event: &TrackEvent, name| arg(&packets, event, name).and_then(|a| a.int_value);
        let ages: i64 = messages.iter().filter_map(|s| int(&s.1, "age_ns")).sum();
        prop_assert_eq!(ages, all.iter().map(|m| m.split.age_ns()).sum::<i64>());
        // The arguments of the stages are the figures; only the drawing omits what is negative.
        let in_args: i64 = stages.iter().filter_map(|s| int(&s.1, "ns")).sum();
        prop_assert_eq!(in_args, ages);
        let drawn: u64 = stages.iter().map(|s| s.2).sum();
        prop_assert_eq!(drawn, messages.iter().map(|s| s.2).sum::<u64>());
        prop_assert!(stages.iter().all(|s| s.3 == 1));
        for (from, _, length, _) in messages {
            let to = later(0).monotonic_ns.abs_diff(from + length);
            let found = all.iter().any(|m| {
                let split = &m.split;
                (m.handed_off_ns - SENT_UTC_NS).unsigned_abs() == to
                    && length.cast_signed() == split.age_ns() + split.skew_ns()
            });
            prop_assert!(found, "from {from} for {length}");
        }
    }
}

#[test]
fn names_are_sent_once_and_before_they_are_used() {
    let cells = [
        (Stage::Queued, Part::LockWait, 7),
        (Stage::InApp, Part::OnCpu, 5),
    ];
    let m = Update::Message(Box::new(message(&session(0), 1, &cells)));
    let inputs: Vec<_> = (0..3).map(|_| (later(12), m.clone())).collect();
    let (packets, _) = export(TraceFilter::default(), &inputs);
    let mut defined = std::collections::BTreeSet::new();
    for packet in &packets {
        for name in packet
            .interned_data
            .iter()
            .flat_map(|data| &data.event_names)
        {
            assert!(defined.insert(name.iid), "{name:?} again");
        }
        let event = packet.track_event.iter();
        for iid in event.filter_map(|event| event.name_iid) {
            assert!(defined.contains(&Some(iid)), "{iid} before it is defined");
        }
    }
    assert_eq!(defined.len(), 3, "two stages and the end");
    let first = packets.first().expect("packets");
    assert_eq!(first.sequence_flags, Some(1));
    assert!(first.clock_snapshot.is_some());
}

#[test]
fn waits_before_the_first_message_find_their_process() {
    let wait = |tid| {
        Update::Wait(Wait {
            tid,
            part: Part::Blocked,
            culprit: CulpritId::OTHER,
            from_ns: SENT_NS - 9,
            to_ns: SENT_NS,
            ns: 9,
            timeouts: 0,
        })
    };
    let m = message(&session(0), 1, &[(Stage::Queued, Part::LockWait, 7)]);
    let inputs = [
        (later(0), wait(412)),
        (later(0), wait(77)),
        (later(7), Update::Message(Box::new(m))),
    ];
    let (packets, exported) = export(TraceFilter::default(), &inputs);
    assert_eq!(exported.waits, 2);
    let track = |uuid| {
        let mut descriptors = packets.iter().filter_map(|p| p.track_descriptor.as_ref());
        descriptors.find(|d| d.uuid == uuid).expect("declared")
    };
    let slices = slices(&packets);
    let waits: Vec<_> = slices.iter().filter(|s| s.2 == 9).collect();
    assert_eq!(waits.len(), 2);
    let tids: Vec<_> = waits
        .iter()
        .map(|s| track(s.1.track_uuid).thread.as_ref().and_then(|t| t.tid))
        .collect();
    assert!(tids.contains(&Some(412)), "below its process");
    assert!(
        tids.contains(&None),
        "a thread that never reads has a track of its own"
    );
}

#[test]
fn what_was_sent_before_the_clock_began_is_counted() {
    let two_hours = 2 * SENT_NS.cast_signed();
    let mut m = message(
        &session(0),
        1,
        &[(Stage::HeldBack, Part::Blocked, two_hours)],
    );
    m.handed_off_ns = SENT_UTC_NS;
    m.sent.utc_ns = SENT_UTC_NS - two_hours;
    let inputs = [(later(1), Update::Message(Box::new(m)))];
    let (packets, exported) = export(TraceFilter::default(), &inputs);
    assert_eq!((exported.drawn, exported.omitted_before_boot), (0, 1));
    let attributes = packets.iter().filter_map(|p| p.trace_attributes.as_ref());
    let numbers: Vec<_> = attributes.flat_map(|a| &a.attribute).collect();
    assert!(numbers.iter().any(|a| {
        a.key.as_deref() == Some("tag52.omitted_before_boot") && a.long_value == Some(1)
    }));
}
