//! Tests of the tap as a whole.

mod agreement;
mod fields;
mod framing;
mod gaps;
mod oracle;
mod properties;
mod streams;

use proptest::test_runner::Config;

use super::{Header, Tap, TapTotals, framing::MAX_PREFIX_BYTES};

/// The default, but for files written into the source tree when a test fails: the failing input is
/// in the test's output.
pub(super) fn config() -> Config {
    Config {
        failure_persistence: None,
        ..Config::default()
    }
}

/// The header fields that every message must have, and SendingTime.
const HEAD: &str = "35=8|34=17|49=VENUE|56=DROP|52=20240229-13:05:59.123|";

/// A message with a whole header and these fields after it.
fn one(text: &str) -> Vec<u8> {
    message("FIX.4.4", &format!("{HEAD}{text}"))
}

/// Feeds the bytes at once, and asserts that it is the same as one byte at a time.
fn whole(bytes: &[u8]) -> (Vec<Header>, TapTotals) {
    let all = feed_all([(0, bytes)]);
    let single = feed_all(
        bytes
            .iter()
            .zip(0..)
            .map(|(b, at)| (at, std::slice::from_ref(b))),
    );
    assert_eq!(all, single, "one byte at a time");
    all
}

fn starts(found: &[Header]) -> Vec<u64> {
    found.iter().map(|h| h.start).collect()
}

/// Feeds chunks to a new tap, and asserts after each that every byte is accounted for.
fn feed_all<'a>(chunks: impl IntoIterator<Item = (u64, &'a [u8])>) -> (Vec<Header>, TapTotals) {
    let mut tap = Tap::new();
    let mut found = Vec::new();
    let mut first = None;
    for (offset, bytes) in chunks {
        tap.feed(offset, bytes, &mut |h| found.push(h));
        if !bytes.is_empty() && offset < u64::MAX {
            first.get_or_insert(offset);
        }
        let counts = tap.counts();
        assert_accounted(&counts, first, tap.expected());
        assert_eq!(counts.messages, found.len() as u64);
    }
    (found, tap.counts())
}

/// The two laws of [`TapTotals`], and what holds among its numbers of headers.
fn assert_accounted(c: &TapTotals, first: Option<u64>, expected: Option<u64>) {
    assert_eq!(
        c.offered_bytes,
        c.message_bytes + c.skipped_bytes + c.overlap_bytes + c.pending_bytes,
        "bytes: {c:?}"
    );
    let span = expected.unwrap_or(0).wrapping_sub(first.unwrap_or(0));
    let accounted = (c.offered_bytes - c.overlap_bytes)
        .wrapping_add(c.omitted_bytes)
        .wrapping_add(c.lost_bytes)
        .wrapping_sub(c.rewound_bytes);
    assert_eq!(span, accounted, "offsets: {c:?}");
    assert!(c.pending_bytes < MAX_PREFIX_BYTES as u64, "{c:?}");
    let m = c.missing;
    let any = m.seq + m.msg_type + m.sender + m.target;
    assert!(c.rejected_headers <= any && any <= 4 * c.rejected_headers);
    assert!(c.rejected_headers <= c.incomplete_headers);
    assert!(c.incomplete_headers <= c.rejected_headers + m.sending_time);
}

/// A message from its fields 8 and from 35 on, with `|` for SOH.
fn message(begin: &str, fields: &str) -> Vec<u8> {
    framed(begin, &soh(fields))
}

/// Text with `|` for SOH.
fn soh(text: &str) -> Vec<u8> {
    text.replace('|', "\x01").into_bytes()
}

/// A message around the bytes BodyLength counts.
fn framed(begin: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("8={begin}\x019={}\x01", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    let sum = bytes.iter().fold(0u8, |sum, &b| sum.wrapping_add(b));
    bytes.extend_from_slice(format!("10={sum:03}\x01").as_bytes());
    bytes
}
