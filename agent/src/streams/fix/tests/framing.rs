//! Where messages begin and end, and what is done when they do not.

use super::{framed, one, soh, starts, whole};
use crate::streams::fix::Tap;

#[test]
fn a_late_attach_is_no_error() {
    let m = one("58=x|");
    let (found, c) = whole(&[&m[30..], &m].concat());
    assert_eq!(starts(&found), [m.len() as u64 - 30]);
    assert_eq!(
        (c.skipped_bytes, c.garbled, c.lost_bytes),
        (m.len() as u64 - 30, 0, 0)
    );
}

#[test]
fn garbage_after_a_message_is_garbled_once() {
    let m = one("58=x|");
    let junk = soh("35=A|junk||8=FO|");
    let (found, c) = whole(&[&m[..], &junk, &m].concat());
    assert_eq!(starts(&found), [0, (m.len() + junk.len()) as u64]);
    assert_eq!((c.garbled, c.skipped_bytes), (1, junk.len() as u64));
}

#[test]
fn a_start_that_breaks_off_gives_way_to_the_next() {
    let m = one("58=x|");
    for junk in [
        "8=FIX|",
        "8=FIX.4.4|",
        "8=FIX.4.4|9=|",
        "8=FIX.4.4|9=12x|",
        "8=FIX.4.4|9=16777217|",
        "8=FIX.4.4|9=00000000143|",
        "8=FIX.4.4.4.4.4.4.4|9=5|",
    ] {
        let junk = soh(junk);
        let (found, c) = whole(&[&m[..], &junk, &m].concat());
        assert_eq!(starts(&found), [0, (m.len() + junk.len()) as u64]);
        assert_eq!((c.garbled, c.skipped_bytes), (1, junk.len() as u64));
    }
}

#[test]
fn a_wrong_trailer_is_garbled() {
    let m = one("58=x|");
    for (place, byte) in [(0, b'2'), (1, 1), (2, b':'), (3, b'a'), (5, 1), (6, b'0')] {
        let mut bad = m.clone();
        let at = m.len() - 7 + place;
        bad[at] = byte;
        let (found, c) = whole(&[&bad[..], &m, &m].concat());
        let len = m.len() as u64;
        // Also where the last byte is no SOH: BodyLength says that a message begins after it.
        assert_eq!(starts(&found), [0, len, 2 * len], "{place}");
        assert_eq!((c.garbled, c.skipped_bytes), (1, 7));
        assert_eq!(c.message_bytes + c.skipped_bytes, 3 * len);
    }
}

#[test]
fn without_a_trailer_the_next_message_is_found() {
    let m = one("58=x|");
    let (found, c) = whole(&[&m[..m.len() - 7], &m].concat());
    assert_eq!(starts(&found), [0, m.len() as u64 - 7]);
    assert_eq!((c.garbled, c.skipped_bytes), (1, 0));
}

#[test]
fn the_length_may_be_zero() {
    let bytes = [framed("FIX.4.4", b""), one("")].concat();
    let (found, c) = whole(&bytes);
    assert_eq!(found.len(), 1);
    assert_eq!((c.rejected_headers, c.garbled), (1, 0));
    assert_eq!(
        [c.missing.seq, c.missing.sender, c.missing.sending_time],
        [1, 1, 1]
    );
}

#[test]
fn out_of_step_a_message_may_begin_with_a_receive_call() {
    let m = one("58=x|");
    for junk in ["junk", "8=FIX.4.4", "8=FIX.4.4|9", "8=F", "|8=FI"] {
        let junk = soh(junk);
        let mut tap = Tap::new();
        let mut found = Vec::new();
        let mut at = 0;
        for call in [&m[..], &junk, &m] {
            tap.receive_begins(at);
            // In two pieces: of which only the first one begins the receive call.
            for piece in [&call[..3], &call[3..]] {
                tap.feed(at, piece, &mut |h| found.push(h));
                at += piece.len() as u64;
            }
        }
        let third = (m.len() + junk.len()) as u64;
        assert_eq!(starts(&found), [0, third], "{}", junk.escape_ascii());
        assert_eq!(tap.counts().skipped_bytes, junk.len() as u64);
    }
}
