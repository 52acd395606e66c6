//! Finding messages in a stream, by the framing that the probes walk by too
//! ([`agent_common::framing`]).

use agent_common::framing::Limits;

pub(super) use agent_common::framing::{Prefix, SOH, START, fits_trailer};

/// The length of `10=ddd` and its SOH.
pub(super) const TRAILER_LEN: usize = agent_common::framing::TRAILER_BYTES as usize;

/// The longest `8=FIX..` SOH `9=..` SOH.
pub(super) const MAX_PREFIX: usize = Limits::PARSER.max_prefix();

/// Reads fields 8 and 9.
pub(super) fn prefix(bytes: &[u8]) -> Prefix {
    Prefix::read(&Limits::PARSER, bytes.len(), |index| bytes[index])
}

/// Whether the bytes begin with [`START`], or end too early to decide.
pub(super) fn may_start(bytes: &[u8]) -> bool {
    bytes.iter().zip(&START).all(|(a, b)| a == b)
}

/// The first place, past the first byte, where a message may start: after a SOH. At the end of the
/// bytes when the last one is a SOH.
pub(super) fn next_start(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(SOH, bytes)
        .map(|soh| soh + 1)
        .find(|&at| may_start(&bytes[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: Prefix = Prefix::Broken { started: true };

    #[test]
    fn a_prefix_is_partial_until_it_is_whole() {
        let all: [(&[u8], u32); 8] = [
            (b"8=FIX.4.0\x019=5\x01", 5),
            (b"8=FIX.4.1\x019=12\x01", 12),
            (b"8=FIX.4.2\x019=0065\x01", 65),
            (b"8=FIX.4.3\x019=0\x01", 0),
            (b"8=FIX.4.4\x019=9999999\x01", 9_999_999),
            (b"8=FIXT.1.1\x019=178\x01", 178),
            (b"8=FIX\x019=1\x01", 1),
            (b"8=FIX12345678\x019=1234567\x01", 1_234_567),
        ];
        for (bytes, body) in all {
            assert!(bytes.len() <= MAX_PREFIX);
            for cut in 0..bytes.len() {
                assert_eq!(prefix(&bytes[..cut]), Prefix::Partial);
            }
            let len = bytes.len() as u32;
            assert_eq!(prefix(bytes), Prefix::Whole { len, body });
            let more = [bytes, b"35=0\x01"].concat();
            assert_eq!(prefix(&more), Prefix::Whole { len, body });
        }
    }

    #[test]
    fn a_broken_prefix_is_known_at_its_first_bad_byte() {
        let all: [&[u8]; 9] = [
            b"8=FIX123456789",
            b"8=FIX.4.4\x018",
            b"8=FIX.4.4\x01\x01",
            b"8=FIX.4.4\x0190",
            b"8=FIX.4.4\x019=\x01",
            b"8=FIX.4.4\x019=-",
            b"8=FIX.4.4\x019=1x",
            b"8=FIX.4.4\x019=1 ",
            b"8=FIX.4.4\x019=12345678",
        ];
        for bytes in all {
            assert_eq!(prefix(&bytes[..bytes.len() - 1]), Prefix::Partial);
            assert_eq!(prefix(bytes), BROKEN, "{}", bytes.escape_ascii());
            assert_eq!(prefix(&[bytes, b"35=0"].concat()), BROKEN);
        }
        for bytes in [&b"\x01"[..], b"9", b"8=FIY", b"8=f"] {
            assert_eq!(prefix(bytes), Prefix::Broken { started: false });
        }
    }

    #[test]
    fn a_start_follows_a_soh() {
        assert_eq!(next_start(b"8=FIX"), None);
        assert_eq!(next_start(b"x8=FIX"), None);
        assert_eq!(next_start(b"\x018=FIX"), Some(1));
        assert_eq!(next_start(b"a\x01b\x018=F"), Some(4));
        assert_eq!(next_start(b"ab\x01"), Some(3));
        assert_eq!(next_start(b"\x018=FIY"), None);
    }
}
