extern crate std;

use std::{format, string::String, vec::Vec};

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Prefix {
    Prefix::read(bytes.len(), |index| bytes[index], |field| field)
}

fn whole(bytes: &[u8], body: u32) -> Prefix {
    let len = bytes.len() as u32;
    Prefix::Whole { len, body }
}

const BROKEN: Prefix = Prefix::Broken { started: true };

/// Every version of the standard, those met in the field besides, and the limits.
const VERSIONS: [&str; 12] = [
    "FIX.4.0",
    "FIX.4.1",
    "FIX.4.2",
    "FIX.4.3",
    "FIX.4.4",
    "FIX.5.0",
    "FIXT.1.1",
    "FIX.5.0SP2",
    "FIX4.4",
    "FIX",
    "FIX-4_4/~",
    "FIX4567890123456",
];

#[test]
fn every_version_and_length_is_read() {
    let lengths = [
        ("0", 0),
        ("5", 5),
        ("65", 65),
        ("178", 178),
        ("0065", 65),
        ("00000143", 143),
        ("0000000143", 143),
        ("9999999", 9_999_999),
        ("16777216", 16 << 20),
    ];
    for version in VERSIONS {
        for (length, body) in lengths {
            let text = format!("8={version}\x019={length}\x01");
            let bytes = text.as_bytes();
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), Prefix::Partial, "{text} {cut}");
            }
            assert_eq!(read(bytes), whole(bytes, body), "{text}");
            assert_eq!(
                read(&[bytes, b"35=0\x01"].concat()),
                whole(bytes, body),
                "{text}"
            );
            assert!(bytes.len() <= MAX_PREFIX_BYTES);
        }
    }
}

#[test]
fn a_broken_prefix_is_found_at_its_first_bad_byte() {
    let all: [&[u8]; 15] = [
        b"8=FIX45678901234567",
        b"8=FIX.4.4 ",
        b"8=FIX.4.4=",
        b"8=FIX.4.4\x7f",
        b"8=FIX\n",
        b"8=FIX\x014",
        b"8=FIX.4.4\x018",
        b"8=FIX.4.4\x01\x01",
        b"8=FIX.4.4\x0190",
        b"8=FIX.4.4\x019=\x01",
        b"8=FIX.4.4\x019=-",
        b"8=FIX.4.4\x019=1x",
        b"8=FIX.4.4\x019=1 ",
        b"8=FIX.4.4\x019=00000000143",
        b"8=FIX.4.4\x019=16777217\x01",
    ];
    for bytes in all {
        let shown = bytes.escape_ascii();
        assert_eq!(read(&bytes[..bytes.len() - 1]), Prefix::Partial, "{shown}");
        assert_eq!(read(bytes), BROKEN, "{shown}");
        assert_eq!(read(&[bytes, b"35=0"].concat()), BROKEN);
    }
    // No number is too large to be read.
    assert_eq!(read(b"8=FIX.4.4\x019=9999999999\x01"), BROKEN);
    for bytes in [&b"\x01"[..], b"9", b"8=FIY", b"8=f"] {
        assert_eq!(read(bytes), Prefix::Broken { started: false });
    }
}

#[test]
fn a_word_starts_a_message_as_far_as_it_goes() {
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    for len in 0..=5 {
        assert!(word_may_start(word(b"8=FIX.4."), len));
        assert_eq!(word_may_start(word(b"GET / HT"), len), len == 0);
        assert_eq!(word_may_start(word(b"8=FXX.4."), len), len <= 3);
    }
}

#[test]
fn a_trailer_is_a_checksum_of_three_digits() {
    let fits = |text: &[u8]| {
        text.len() == TRAILER_BYTES as usize
            && (0..text.len()).all(|place| fits_trailer(place, text[place]))
    };
    assert!(fits(b"10=000\x01") && fits(b"10=255\x01"));
    assert!(!fits(b"10=00\x01\x01") && !fits(b"10=0000") && !fits(b"11=000\x01"));
}

#[test]
fn the_end_of_a_slice_may_be_a_beginning() {
    let end = |text: &[u8; 5]| {
        let mut word = [0; 8];
        word[..5].copy_from_slice(text);
        start_at_end(u64::from_le_bytes(word))
    };
    assert_eq!(end(b"xxxx\x01"), Some(0));
    assert_eq!(end(b"xxx\x018"), Some(1));
    assert_eq!(end(b"xx\x018="), Some(2));
    assert_eq!(end(b"x\x018=F"), Some(3));
    assert_eq!(end(b"\x018=FI"), Some(4));
    for text in [b"8=FIX", b"x8=FI", b"\x018=FX", b"\x018=\x00\x00", b"xxxx8"] {
        assert_eq!(end(text), None);
    }
}

/// Fields 8 and 9 as they should be, with one byte changed.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![
        prop::sample::select(&VERSIONS[..]).prop_map(|v| String::from(&v[3..])),
        "[.-T]{10,15}"
    ];
    let parts = (version, "[0-9]{0,12}", 0usize..40, any::<u8>(), 0usize..50);
    parts.prop_map(|(version, length, at, byte, cut)| {
        let mut bytes = format!("8=FIX{version}\x019={length}\x01").into_bytes();
        if at < bytes.len() && byte < 128 {
            bytes[at] = byte;
        }
        bytes.truncate(cut.max(1));
        bytes
    })
}

/// Fields 8 and 9, read in another way.
fn read_by_fields(bytes: &[u8]) -> Option<(usize, u64)> {
    let mut fields = bytes.split_inclusive(|&b| b == SOH);
    let begin = fields.next()?.strip_suffix(&[SOH])?;
    let version = begin.strip_prefix(&START)?;
    let length = fields.next()?.strip_suffix(&[SOH])?.strip_prefix(b"9=")?;
    let fits = version
        .iter()
        .all(|&b| (0x21..0x7f).contains(&b) && b != b'=')
        && begin.len() <= 2 + 16
        && (1..=10).contains(&length.len())
        && length.iter().all(u8::is_ascii_digit);
    let body = std::str::from_utf8(length).ok()?.parse().ok()?;
    (fits && body <= 16 << 20).then_some((begin.len() + length.len() + 4, body))
}

proptest! {
    /// More bytes never change a decision, and none is made without the bytes it needs.
    #[test]
    fn a_decision_is_final(bytes in nearly(), more: Vec<u8>) {
        let first = read(&bytes);
        let longer = read(&[&bytes[..], &more].concat());
        match first {
            Prefix::Partial => prop_assert!(bytes.len() < MAX_PREFIX_BYTES),
            _ => prop_assert_eq!(first, longer),
        }
    }

    #[test]
    fn what_is_read_are_fields_8_and_9(bytes in nearly()) {
        let read = match read(&bytes) {
            Prefix::Whole { len, body } => Some((len as usize, u64::from(body))),
            Prefix::Partial | Prefix::Broken { .. } => None,
        };
        prop_assert_eq!(read, read_by_fields(&bytes));
    }

    /// The test of a word agrees with the bytes.
    #[test]
    fn a_mismatch_is_a_byte_that_differs(bytes: [u8; 5], exact: bool) {
        let bytes = if exact { START } else { bytes };
        let word = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        prop_assert_eq!(start_mismatch(word, bytes[4]) == 0, bytes == START);
        let word = u64::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], 0, 0, 0]);
        prop_assert_eq!(word_may_start(word, 5), bytes == START);
    }
}
