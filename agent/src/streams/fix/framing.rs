//! How a message begins and ends on the wire.
//!
//! FIX 4.4 volume 2, "Standard Message Header" and "Standard Message Trailer" (FIX TagValue
//! Encoding, "Message structure"): BeginString (8), BodyLength (9) and MsgType (35) come first, in
//! this order; BodyLength counts from after the SOH of field 9 through the SOH before `10=`;
//! CheckSum (10) comes last and has always three digits.

/// Ends every field.
pub(super) const SOH: u8 = 1;

/// Begins every message.
pub(super) const START: &[u8; 5] = b"8=FIX";

/// The length of `10=ddd` and its SOH.
pub(super) const TRAILER_LEN: usize = 7;

/// The longest of BeginString past `8=FIX` (`T.1.1` has 5).
const MAX_VERSION: usize = 8;

/// The most digits of BodyLength: it stays below 10 MB, so a garbled one cannot swallow the stream.
const MAX_LENGTH_DIGITS: usize = 7;

/// The longest `8=FIX..` SOH `9=..` SOH.
pub(super) const MAX_PREFIX: usize = START.len() + MAX_VERSION + 1 + 2 + MAX_LENGTH_DIGITS + 1;

/// What some bytes are, taken as the beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// Fields 8 and 9 are `len` bytes long, and announce `body` further ones before the trailer.
    Whole { len: usize, body: u64 },
    /// Nothing wrong yet; fewer than [`MAX_PREFIX`] bytes.
    Partial,
    /// Not a message; `started` when [`START`] was there.
    Broken { started: bool },
}

/// Reads fields 8 and 9.
pub(super) fn prefix(bytes: &[u8]) -> Prefix {
    const BROKEN: Prefix = Prefix::Broken { started: true };
    if !may_start(bytes) {
        return Prefix::Broken { started: false };
    }
    let Some(version) = bytes.get(START.len()..) else {
        return Prefix::Partial;
    };
    let version = &version[..version.len().min(MAX_VERSION + 1)];
    let Some(soh) = version.iter().position(|&b| b == SOH) else {
        return if version.len() > MAX_VERSION {
            BROKEN
        } else {
            Prefix::Partial
        };
    };
    let at = START.len() + soh + 1;
    let digits = match &bytes[at..] {
        [] | [b'9'] => return Prefix::Partial,
        [b'9', b'=', digits @ ..] => digits,
        _ => return BROKEN,
    };
    let mut body = 0;
    for (i, &b) in digits.iter().take(MAX_LENGTH_DIGITS + 1).enumerate() {
        match b {
            b'0'..=b'9' if i < MAX_LENGTH_DIGITS => body = body * 10 + u64::from(b - b'0'),
            SOH if i > 0 => {
                let len = at + 2 + i + 1;
                return Prefix::Whole { len, body };
            }
            _ => return BROKEN,
        }
    }
    Prefix::Partial
}

/// Whether the bytes begin with [`START`], or end too early to tell.
pub(super) fn may_start(bytes: &[u8]) -> bool {
    bytes.iter().zip(START).all(|(a, b)| a == b)
}

/// The first place, past the first byte, where a message may start: after a SOH. At the end of the
/// bytes when the last one is a SOH.
pub(super) fn next_start(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(SOH, bytes)
        .map(|soh| soh + 1)
        .find(|&at| may_start(&bytes[at..]))
}

/// Whether a byte can stand at this place (0 to 6) of a trailer.
pub(super) const fn fits_trailer(place: usize, byte: u8) -> bool {
    match place {
        0 => byte == b'1',
        1 => byte == b'0',
        2 => byte == b'=',
        3..=5 => byte.is_ascii_digit(),
        _ => byte == SOH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: Prefix = Prefix::Broken { started: true };

    #[test]
    fn a_prefix_is_partial_until_it_is_whole() {
        let all: [(&[u8], u64); 8] = [
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
            let len = bytes.len();
            assert!(len <= MAX_PREFIX);
            for cut in 0..len {
                assert_eq!(prefix(&bytes[..cut]), Prefix::Partial);
            }
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
