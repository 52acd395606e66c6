//! How a FIX message begins and ends on the wire: one definition for the probes' header walk and the
//! agent's parser.
//!
//! FIX 4.4 volume 2, "Standard Message Header" and "Standard Message Trailer" (FIX TagValue
//! Encoding, "Message structure"): BeginString (8), BodyLength (9) and MsgType (35) come first, in
//! this order; BodyLength counts from after the SOH of field 9 through the SOH before `10=`;
//! CheckSum (10) comes last and has always three digits.
//!
//! The probes accept less than the parser where it spares them instructions. What each accepts is
//! in its [`Limits`], side by side; a stream that the probes do not follow reaches the parser whole.

/// Ends every field.
pub const SOH: u8 = 1;

/// Begins every message.
pub const START: [u8; 5] = *b"8=FIX";

/// The length of `10=ddd` and its SOH, bytes.
pub const TRAILER_BYTES: u32 = 7;

/// How far fields 8 and 9 of a message may go from their usual form.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The fewest bytes of BeginString past `8=FIX`.
    pub min_version: usize,
    /// The most bytes of BeginString past `8=FIX` (`T.1.1` has 5).
    pub max_version: usize,
    /// The most digits of BodyLength.
    pub max_length_digits: usize,
    /// The largest BodyLength, bytes.
    pub max_body: u32,
}

impl Limits {
    /// What the probes follow: `FIX.4.x` and `FIXT.1.1`, messages of 16 MiB at the most.
    pub const PROBES: Self = Self {
        min_version: 4,
        max_version: 5,
        max_length_digits: 8,
        max_body: 16 << 20,
    };

    /// What the parser reads: any version of up to eight bytes, BodyLength below 10 MB, so that a
    /// garbled one cannot swallow the stream.
    pub const PARSER: Self = Self {
        min_version: 0,
        max_version: 8,
        max_length_digits: 7,
        max_body: 9_999_999,
    };

    /// The longest `8=FIX..` SOH `9=..` SOH within these limits, bytes.
    #[must_use]
    pub const fn max_prefix(&self) -> usize {
        START.len() + self.max_version + 1 + 2 + self.max_length_digits + 1
    }
}

/// What some bytes are, taken as the beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Fields 8 and 9 are `len` bytes long, and announce `body` further ones before the trailer.
    Whole {
        /// Bytes of fields 8 and 9.
        len: u32,
        /// BodyLength.
        body: u32,
    },
    /// Nothing wrong yet; fewer than [`Limits::max_prefix`] bytes.
    Partial,
    /// Not a message.
    Broken {
        /// Whether [`START`] was there.
        started: bool,
    },
}

impl Prefix {
    /// Reads fields 8 and 9 from the first `len` bytes of a message, of which `byte` gives the one
    /// at an index. It is asked for none at `len` or past [`Limits::max_prefix`].
    ///
    /// The loops have constant bounds, so that they unroll in the probes.
    #[inline(always)]
    #[must_use]
    pub fn read(limits: &Limits, len: usize, byte: impl Fn(usize) -> u8) -> Self {
        const BROKEN: Prefix = Prefix::Broken { started: true };
        let mut index = 0;
        while index < START.len() {
            if index >= len {
                return Self::Partial;
            }
            if byte(index) != START[index] {
                return Self::Broken { started: false };
            }
            index += 1;
        }
        let mut field = 0;
        for index in START.len() + limits.min_version..=START.len() + limits.max_version {
            if index >= len {
                return Self::Partial;
            }
            if byte(index) == SOH {
                field = index + 1;
                break;
            }
        }
        if field == 0 {
            return BROKEN;
        }
        if field >= len {
            return Self::Partial;
        }
        if byte(field) != b'9' {
            return BROKEN;
        }
        if field + 1 >= len {
            return Self::Partial;
        }
        if byte(field + 1) != b'=' {
            return BROKEN;
        }
        let mut body = 0u32;
        for digits in 0..=limits.max_length_digits {
            let index = field + 2 + digits;
            if index >= len {
                return Self::Partial;
            }
            let byte = byte(index);
            if byte == SOH && digits > 0 {
                if body > limits.max_body {
                    return BROKEN;
                }
                let len = index as u32 + 1;
                return Self::Whole { len, body };
            }
            if !byte.is_ascii_digit() {
                return BROKEN;
            }
            body = body * 10 + u32::from(byte - b'0');
        }
        BROKEN
    }
}

/// Whether the first `len` bytes of `word`, in memory order, are those of [`START`], as far as they
/// go; `len` is 0 to 5.
#[inline(always)]
#[must_use]
pub const fn word_may_start(word: u64, len: u64) -> bool {
    const WORD: u64 = u64::from_le_bytes(*b"8=FIX\0\0\0");
    let mask = (1u64 << (8 * (len & 7))) - 1;
    u64::from_le(word) & mask == WORD & mask
}

/// 0 when [`START`] stands at a place, whose first four bytes are `word` (in memory order) and the
/// fifth `last`. Without a branch, because the verifier follows every one.
#[inline(always)]
#[must_use]
pub const fn start_mismatch(word: u32, last: u8) -> u32 {
    const WORD: u32 = u32::from_le_bytes(*b"8=FI");
    (u32::from_le(word) ^ WORD) | (last ^ START[4]) as u32
}

/// Whether a byte can stand at this place (0 to 6) of a trailer.
#[must_use]
pub const fn fits_trailer(place: usize, byte: u8) -> bool {
    match place {
        0 => byte == b'1',
        1 => byte == b'0',
        2 => byte == b'=',
        3..=5 => byte.is_ascii_digit(),
        _ => byte == SOH,
    }
}

#[cfg(test)]
mod tests;
