//! Stalls in whole traces.

use std::sync::Arc;

use super::*;
use crate::domain::{CallObject, Culprit, fixtures::waiting};

const S: u64 = 1_000_000_000;

/// A sample at so many seconds after the messages were sent, of a stall since one second.
fn sample(seconds: u64) -> (Moment, Update) {
    let at = later((seconds * S).cast_signed());
    let mut sample = waiting(at.monotonic_ns, (seconds - 1) * S, Part::Blocked);
    sample.in_hand.messages = 10 + seconds;
    if let Some(reader) = &mut sample.reader {
        reader.culprit = Some(CulpritId(7));
    }
    (at, Update::Waiting(session(0), Box::new(sample)))
}

fn call() -> (Moment, Update) {
    let culprit = Culprit::Call {
        name: "recvfrom".to_owned(),
        object: CallObject::Socket {
            peer: "10.0.0.7:5432".to_owned(),
        },
    };
    (later(0), Update::Culprit(CulpritId(7), Arc::new(culprit)))
}

/// The stalls: name, beginning and end in nanoseconds after the messages were sent.
fn stalls(packets: &[TracePacket]) -> Vec<(TrackEvent, u64, u64)> {
    slices(packets)
        .into_iter()
        .filter(|(_, event, ..)| {
            let name = event.name.as_deref();
            name.is_some_and(|name| name.starts_with("stalled"))
        })
        .map(|(from, event, length, _)| (event, from - SENT_NS, from + length - SENT_NS))
        .collect()
}

fn spans(packets: &[TracePacket]) -> Vec<(u64, u64)> {
    let spans = stalls(packets).into_iter().map(|(_, from, to)| (from, to));
    spans.collect()
}

#[test]
fn a_stall_is_a_slice_until_the_next_hand_off_with_what_its_last_sample_found() {
    let handed_off = 4 * S + 7;
    let age = handed_off.cast_signed();
    let m = message(&session(0), 1, &[(Stage::InApp, Part::Blocked, age)]);
    let inputs = [
        call(),
        // Not stalled yet.
        (
            later(0),
            Update::Waiting(session(0), Box::new(waiting(SENT_NS, 1_000, Part::Blocked))),
        ),
        sample(2),
        sample(3),
        (later(age), Update::Message(Box::new(m))),
        (later(age + 1), Update::SessionEnded(session(0))),
    ];
    let (packets, _) = export(TraceFilter::default(), &inputs);
    let stalls = stalls(&packets);
    let [(event, from, to)] = &stalls[..] else {
        panic!("{stalls:?}")
    };
    assert_eq!((*from, *to), (S, handed_off));
    let name = "stalled: 13 in hand, ~5,580 queued (2.2 MiB), window closed 1.00s";
    assert_eq!(event.name.as_deref(), Some(name));
    let number = |name| arg(&packets, event, name).and_then(|a| a.uint_value);
    assert_eq!(number("in_hand"), Some(13));
    assert_eq!(number("queued_bytes"), Some(2_311_000));
    assert_eq!(number("state_ns"), Some(2 * S));
    let text = |name| arg(&packets, event, name).and_then(|a| a.string_value);
    assert_eq!(text("state").as_deref(), Some("blocked"));
    let call = "recvfrom socket to 10.0.0.7:5432";
    assert_eq!(text("waits_for").as_deref(), Some(call));
    let age = arg(&packets, event, "waiting_age_ns").and_then(|a| a.int_value);
    assert_eq!(age, Some(2_000_300_000));
    // It is on the track of the session.
    let track = packets
        .iter()
        .filter_map(|packet| packet.track_descriptor.as_ref())
        .find(|track| track.uuid == event.track_uuid)
        .and_then(|track| track.name.as_deref());
    assert_eq!(track, Some("VENUE > DROP :5002"));
}

#[test]
fn a_stall_ends_with_an_empty_sample_with_the_session_or_with_the_recording() {
    let (at, Update::Waiting(session, mut empty)) = sample(4) else {
        unreachable!("a sample")
    };
    empty.waits_since_ns = None;
    let empty = (at, Update::Waiting(Arc::clone(&session), empty));
    let ended = (later(5), Update::SessionEnded(session));
    let last = (later(9 * S.cast_signed()), Update::IntervalEnded);
    let of = |rest: &[&(Moment, Update)]| {
        let rest = rest.iter().map(|&update| update.clone());
        let inputs: Vec<_> = [call(), sample(2), sample(3)]
            .into_iter()
            .chain(rest)
            .collect();
        spans(&export(TraceFilter::default(), &inputs).0)
    };
    assert_eq!(of(&[&empty, &last]), [(S, 4 * S)]);
    let ended = (later(5 * S.cast_signed()), ended.1);
    assert_eq!(of(&[&ended, &last]), [(S, 5 * S)]);
    assert_eq!(of(&[&last]), [(S, 9 * S)]);
}

#[test]
fn a_hand_off_between_two_samples_divides_a_stall() {
    let (at, Update::Waiting(session, mut again)) = sample(6) else {
        unreachable!("a sample")
    };
    again.last_hand_off_ns = Some(SENT_NS + 4 * S);
    let inputs = [sample(2), sample(3), (at, Update::Waiting(session, again))];
    let (packets, _) = export(TraceFilter::default(), &inputs);
    assert_eq!(spans(&packets), [(S, 4 * S), (4 * S, 6 * S)]);
}
