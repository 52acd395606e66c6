//! Chunks that do not follow on one another: gaps, repetitions, other streams.

use super::{feed_all, one, starts, whole};

#[test]
fn a_body_can_be_omitted() {
    let first = one(&format!("58={}|", "x".repeat(5000)));
    let second = one("58=y|");
    let next = first.len() as u64;
    let len = (first.len() + second.len()) as u64;
    // Up to the next message, into the body, up to the trailer, into it.
    for to in [first.len(), 3000, first.len() - 7, first.len() - 3] {
        let (found, c) = feed_all([
            (0, &first[..256]),
            (to as u64, &first[to..]),
            (next, &second[..]),
        ]);
        assert_eq!(starts(&found), [0, next]);
        assert_eq!(c.omitted_bytes, to as u64 - 256);
        assert_eq!(c.message_bytes + c.omitted_bytes, len);
        assert_eq!(c.lost_bytes + c.skipped_bytes + c.garbled, 0);
    }
}

#[test]
fn a_body_omitted_to_its_end_is_followed_by_a_message() {
    let m = one("58=x|");
    let (found, c) = feed_all([(0, &m[..m.len() - 8]), (m.len() as u64, b"no message")]);
    assert_eq!((found.len(), c.omitted_bytes), (1, 8));
    assert_eq!((c.garbled, c.skipped_bytes, c.lost_bytes), (1, 10, 0));
}

#[test]
fn a_gap_in_a_header_is_a_loss() {
    let m = one("58=x|");
    let len = m.len();
    let stream = [&m[..], &m, &m].concat();
    for (read, to) in [(3, 40), (24, 40), (40, 60), (40, len)] {
        let (from, to) = (len + read, len + to);
        let (found, c) = feed_all([(0, &stream[..from]), (to as u64, &stream[to..])]);
        assert_eq!(starts(&found), [0, 2 * len as u64]);
        assert_eq!((c.dropped_messages, c.lost_bytes), (1, (to - from) as u64));
        assert_eq!((c.omitted_bytes, c.garbled), (0, 0));
    }
    // Fewer bytes than `8=FIX` are no message where none was expected.
    let (found, c) = feed_all([(0, &m[..4]), (9, &m[9..])]);
    assert_eq!((found.len(), c.dropped_messages, c.lost_bytes), (0, 0, 5));
}

#[test]
fn a_gap_past_the_end_is_a_loss_from_there_on() {
    let (first, second) = (one("58=text|"), one("58=y|"));
    let head = first.len() - 10;
    let (found, c) = feed_all([(0, &first[..head]), (first.len() as u64 + 50, &second[..])]);
    assert_eq!(starts(&found), [0, first.len() as u64 + 50]);
    assert_eq!((c.omitted_bytes, c.lost_bytes), (10, 50));
    assert_eq!((c.dropped_messages, c.skipped_bytes, c.garbled), (0, 0, 0));
}

#[test]
fn after_a_gap_a_message_may_start_at_once() {
    let m = one("58=x|");
    let (found, c) = feed_all([(0, &b"garbage"[..]), (100, &m)]);
    assert_eq!(starts(&found), [100]);
    assert_eq!((c.skipped_bytes, c.lost_bytes, c.garbled), (7, 93, 0));
    // But not without one: it has to follow a SOH.
    let (found, c) = whole(&[b"garbage", &m[..], &m].concat());
    assert_eq!(starts(&found), [7 + m.len() as u64]);
    assert_eq!(c.skipped_bytes, 7 + m.len() as u64);
}

#[test]
fn bytes_that_come_again_are_skipped() {
    let m = one("58=x|");
    let both = [&m[..], &m].concat();
    let len = m.len() as u64;
    let (found, c) = feed_all([
        (0, &both[..50]),
        (0, &both[..50]),
        (20, &both[20..30]),
        (10, &both[10..m.len() + 5]),
        (len, &both[m.len()..]),
        (0, &both[..]),
    ]);
    assert_eq!(starts(&found), [0, len]);
    assert_eq!(c.overlap_bytes, 50 + 10 + 40 + 5 + 2 * len);
    assert_eq!((c.restarts, c.lost_bytes), (0, 0));
}

#[test]
fn offsets_far_back_are_another_stream() {
    let m = one("58=x|");
    let far = 1 << 20;
    let end = far + m.len() as u64;
    let (found, c) = feed_all([(far, &m[..]), (end, &m[..30]), (0, &m)]);
    assert_eq!(starts(&found), [far, 0]);
    assert_eq!(
        (c.restarts, c.rewound_bytes, c.dropped_messages),
        (1, end + 30, 1)
    );
    // Nearer than that they are a repetition.
    let (found, c) = feed_all([(far, &m[..]), (end - far + 1, &m)]);
    assert_eq!(starts(&found), [far]);
    assert_eq!((c.restarts, c.overlap_bytes), (0, m.len() as u64));
}

#[test]
fn no_offset_is_too_large() {
    let m = one("58=x|");
    let last = u64::MAX - m.len() as u64;
    let (found, c) = feed_all([(last, &m[..]), (u64::MAX, b"8")]);
    assert_eq!(found[0].end, u64::MAX);
    assert_eq!(c.overlap_bytes, 1);
    // A message that would end past the last offset is none.
    let (found, c) = feed_all([(last + 1, &m[..])]);
    assert_eq!(found, []);
    assert_eq!((c.garbled, c.overlap_bytes), (1, 1));
}

#[test]
fn an_empty_chunk_says_nothing() {
    let m = one("58=x|");
    let (found, c) = feed_all([(9, &b""[..]), (0, &m[..20]), (999, b""), (20, &m[20..])]);
    assert_eq!(starts(&found), [0]);
    assert_eq!(c.lost_bytes + c.overlap_bytes, 0);
}

#[test]
fn part_of_a_trailer_is_checked_too() {
    let first = one(&format!("58={}|", "x".repeat(500)));
    let m = one("58=y|");
    let len = first.len();
    // After the gap comes a message where the last three bytes of the trailer should be.
    let at = len as u64 - 3;
    let (found, c) = feed_all([(0, &first[..300]), (at, &m)]);
    assert_eq!(starts(&found), [0, at]);
    assert_eq!((c.garbled, c.skipped_bytes, c.lost_bytes), (1, 0, 0));
}
