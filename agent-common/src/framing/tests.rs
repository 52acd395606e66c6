extern crate std;

use std::{format, vec::Vec};

use proptest::prelude::*;

use super::*;

fn read(limits: &Limits, bytes: &[u8]) -> Prefix {
    Prefix::read(limits, bytes.len(), |index| bytes[index])
}

fn whole(bytes: &[u8], body: u32) -> Prefix {
    let len = bytes.len() as u32;
    Prefix::Whole { len, body }
}

const BROKEN: Prefix = Prefix::Broken { started: true };

#[test]
fn both_read_every_version_of_the_standard() {
    let versions = [
        "FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1",
    ];
    for version in versions {
        for body in [0, 5, 65, 178, 12_345, 9_999_999] {
            let text = format!("8={version}\x019={body}\x01");
            let bytes = text.as_bytes();
            for limits in [Limits::PROBES, Limits::PARSER] {
                for cut in 0..bytes.len() {
                    assert_eq!(
                        read(&limits, &bytes[..cut]),
                        Prefix::Partial,
                        "{text} {cut}"
                    );
                }
                assert_eq!(read(&limits, bytes), whole(bytes, body), "{text}");
                assert!(bytes.len() <= limits.max_prefix());
            }
        }
    }
}

/// Where probes and parser differ.
#[test]
fn the_probes_take_longer_bodies_and_fewer_versions() {
    let long = b"8=FIX.4.4\x019=16777216\x01";
    assert_eq!(read(&Limits::PROBES, long), whole(long, 16 << 20));
    assert_eq!(read(&Limits::PARSER, long), BROKEN);
    let longer = b"8=FIX.4.4\x019=16777217\x01";
    assert_eq!(read(&Limits::PROBES, longer), BROKEN);
    let padded = b"8=FIX.4.4\x019=00000065\x01";
    assert_eq!(read(&Limits::PROBES, padded), whole(padded, 65));
    assert_eq!(read(&Limits::PARSER, padded), BROKEN);
    for version in ["", ".", "1", "T.1", "T.1.1.", "12345678"] {
        let text = format!("8=FIX{version}\x019=5\x01");
        let bytes = text.as_bytes();
        assert_eq!(read(&Limits::PARSER, bytes), whole(bytes, 5), "{text}");
        let more = [bytes, b"35=0\x01"].concat();
        assert_eq!(read(&Limits::PROBES, &more), BROKEN, "{text}");
    }
    // The probes do not read the first four bytes of the version.
    let odd = b"8=FIX\x014.4\x019=5\x01";
    assert_eq!(read(&Limits::PROBES, odd), whole(odd, 5));
    assert_eq!(read(&Limits::PARSER, odd), BROKEN);
}

#[test]
fn a_broken_prefix_is_found_at_its_first_bad_byte() {
    let all: [&[u8]; 6] = [
        b"8=FIX.4.4\x018",
        b"8=FIX.4.4\x01\x01",
        b"8=FIX.4.4\x0190",
        b"8=FIX.4.4\x019=\x01",
        b"8=FIX.4.4\x019=-",
        b"8=FIX.4.4\x019=1x",
    ];
    let probes: [&[u8]; 2] = [b"8=FIX.4.44.", b"8=FIX.4.4\x019=123456789"];
    let parser: [&[u8]; 2] = [b"8=FIX123456789", b"8=FIX.4.4\x019=12345678"];
    for (limits, own) in [(Limits::PROBES, probes), (Limits::PARSER, parser)] {
        for bytes in all.into_iter().chain(own) {
            let shown = bytes.escape_ascii();
            let before = read(&limits, &bytes[..bytes.len() - 1]);
            assert_eq!(before, Prefix::Partial, "{shown}");
            assert_eq!(read(&limits, bytes), BROKEN, "{shown}");
            assert_eq!(read(&limits, &[bytes, b"35=0"].concat()), BROKEN);
        }
    }
    for bytes in [&b"\x01"[..], b"9", b"8=FIY", b"8=f"] {
        let broken = Prefix::Broken { started: false };
        assert_eq!(read(&Limits::PROBES, bytes), broken);
        assert_eq!(read(&Limits::PARSER, bytes), broken);
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

/// Fields 8 and 9 as they should be, with one byte changed.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![Just(".4.4"), Just("T.1.1"), Just(""), Just(".5.0SP2")];
    let parts = (version, "[0-9]{0,9}", 0usize..24, any::<u8>(), 0usize..30);
    parts.prop_map(|(version, length, at, byte, cut)| {
        let mut bytes = format!("8=FIX{version}\x019={length}\x01").into_bytes();
        if at < bytes.len() && byte < 128 {
            bytes[at] = byte;
        }
        bytes.truncate(cut.max(1));
        bytes
    })
}

proptest! {
    /// More bytes never change a decision, and none is made without the bytes it needs.
    #[test]
    fn a_decision_is_final(bytes in nearly(), more: Vec<u8>) {
        for limits in [Limits::PROBES, Limits::PARSER] {
            let first = read(&limits, &bytes);
            let longer = read(&limits, &[&bytes[..], &more].concat());
            match first {
                Prefix::Partial => prop_assert!(bytes.len() < limits.max_prefix()),
                _ => prop_assert_eq!(first, longer),
            }
        }
    }

    /// A message that both accept is as long for the one as for the other, if there is no SOH in
    /// the bytes that the probes do not read.
    #[test]
    fn both_agree_on_the_length(bytes in nearly()) {
        prop_assume!(!bytes.iter().skip(5).take(4).any(|&b| b == SOH));
        let (probes, parser) = (read(&Limits::PROBES, &bytes), read(&Limits::PARSER, &bytes));
        if let (Prefix::Whole { .. }, Prefix::Whole { .. }) = (probes, parser) {
            prop_assert_eq!(probes, parser);
        }
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
