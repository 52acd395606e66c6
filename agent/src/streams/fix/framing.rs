//! Finding messages in a stream, by the framing that the probes walk by too
//! ([`agent_common::framing`]).

pub(super) use agent_common::framing::{MAX_PREFIX_BYTES, Prefix, SOH, START, fits_trailer};

/// The length of `10=ddd` and its SOH.
pub(super) const TRAILER_LEN: usize = agent_common::framing::TRAILER_BYTES as usize;

/// Reads fields 8 and 9.
pub(super) fn prefix(bytes: &[u8]) -> Prefix {
    Prefix::read(bytes.len(), |index| bytes[index], |field| field)
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
    use super::next_start;

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
