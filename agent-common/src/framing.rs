//! How a FIX message begins and ends on the wire: one definition for the probes' header walk and the
//! agent's parser. Both read fields 8 and 9 with [`Prefix::read`], so neither accepts a message that
//! the other one refuses.
//!
//! FIX 4.4 volume 2, "Standard Message Header" and "Standard Message Trailer" (FIX TagValue
//! Encoding, "Message structure"): BeginString (8), BodyLength (9) and MsgType (35) come first, in
//! this order; BodyLength counts from after the SOH of field 9 through the SOH before `10=`;
//! CheckSum (10) comes last and has always three digits.
//!
//! Where a message may begin, for both:
//!
//! - where the one before ends by its BodyLength, whatever its trailer looks like;
//! - out of step, after a SOH, or at the first byte of a receive call.
//!
//! The parser checks one thing more, the trailer ([`fits_trailer`]); the walk cannot, because it
//! skips bodies. A wrong trailer is counted and does not change where the next message may begin.
//! In the bytes of the trailer itself the parser looks for a beginning after a SOH, because a
//! message whose trailer is missing ends there; the walk is then out of step by at most these seven
//! bytes, and copies whole bytes until the next message begins.

/// Ends every field.
pub const SOH: u8 = 1;

/// Begins every message.
pub const START: [u8; 5] = *b"8=FIX";

/// The longest BeginString (8), bytes: `FIX.5.0SP2` has 10.
pub const MAX_BEGIN_STRING_BYTES: usize = 16;

/// The most digits of BodyLength (9), leading zeros included.
pub const MAX_LENGTH_DIGITS: usize = 10;

/// The largest BodyLength, bytes. A garbled one must not swallow the stream.
pub const MAX_BODY_BYTES: u32 = 16 << 20;

/// The length of `10=ddd` and its SOH, bytes.
pub const TRAILER_BYTES: u32 = 7;

/// Bytes of `8=`.
const TAG_BYTES: usize = 2;

/// Where the SOH of field 8 stands at the latest.
const LAST_VERSION_END: usize = TAG_BYTES + MAX_BEGIN_STRING_BYTES;

/// The longest `8=FIX..` SOH `9=..` SOH, bytes.
pub const MAX_PREFIX_BYTES: usize = LAST_VERSION_END + 1 + TAG_BYTES + MAX_LENGTH_DIGITS + 1;

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
    /// Nothing wrong yet; fewer than [`MAX_PREFIX_BYTES`] bytes.
    Partial,
    /// Not a message.
    Broken {
        /// Whether [`START`] was there.
        started: bool,
    },
}

impl Prefix {
    /// Reads fields 8 and 9 from the first `len` bytes of a message. `byte` returns the byte at an
    /// index; it is called only with indexes below `len` and below [`MAX_PREFIX_BYTES`].
    ///
    /// The loops have constant bounds, so that they unroll in the probes. `forget` returns its
    /// argument. In the probes it also hides from the verifier where field 8 ended, because the
    /// verifier would otherwise follow field 9 from every place where it may begin.
    #[inline(always)]
    #[must_use]
    pub fn read(
        len: usize,
        byte: impl Fn(usize) -> u8,
        forget: impl FnOnce(usize) -> usize,
    ) -> Self {
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
        for index in START.len()..=LAST_VERSION_END {
            if index >= len {
                return Self::Partial;
            }
            let byte = byte(index);
            if byte == SOH {
                field = index + 1;
                break;
            }
            if !is_version(byte) {
                return BROKEN;
            }
        }
        if field == 0 {
            return BROKEN;
        }
        let field = forget(field);
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
        let mut body = 0u64;
        for digits in 0..=MAX_LENGTH_DIGITS {
            let index = field + TAG_BYTES + digits;
            if index >= len {
                return Self::Partial;
            }
            let byte = byte(index);
            if byte == SOH && digits > 0 {
                if body > u64::from(MAX_BODY_BYTES) {
                    return BROKEN;
                }
                return Self::Whole {
                    len: index as u32 + 1,
                    body: body as u32,
                };
            }
            if !byte.is_ascii_digit() {
                return BROKEN;
            }
            body = body * 10 + u64::from(byte - b'0');
        }
        BROKEN
    }
}

/// Whether a byte can stand in a BeginString: printable ASCII, but for the space and the `=`.
#[inline(always)]
const fn is_version(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'='
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
const fn start_mismatch(word: u32, last: u8) -> u32 {
    const WORD: u32 = u32::from_le_bytes(*b"8=FI");
    (u32::from_le(word) ^ WORD) | (last ^ START[4]) as u32
}

/// The beginning of a message that the last five bytes of a slice may be: a SOH, and all bytes after
/// it. Returns how many bytes follow the SOH, 0 to 4; `last` has the bytes in memory order, the last
/// one of the slice in bits 32 to 39.
#[inline(always)]
#[must_use]
const fn start_at_end(last: u64) -> Option<u64> {
    const WORD: u64 = u64::from_le_bytes([SOH, START[0], START[1], START[2], START[3], 0, 0, 0]);
    let mut followers = 0;
    while followers < START.len() as u64 {
        let mask = (1u64 << (8 * (followers + 1))) - 1;
        if (last >> (8 * (4 - followers))) & mask == WORD & mask {
            return Some(followers);
        }
        followers += 1;
    }
    None
}

/// The bytes of a slice that is searched for the beginning of a message. What lies behind its end
/// may be read, and is then anything.
pub trait SearchedSlice {
    /// Four bytes at `index`, in memory order, and the one after them.
    fn five_at(&self, index: usize) -> (u32, u8);

    /// The byte at `index`.
    fn byte_at(&self, index: usize) -> u8;

    /// The last five bytes of the first `len`, in memory order, in bits 0 to 39. Where there are
    /// fewer, those before them are no beginning of a message.
    fn last_five(&self, len: u64) -> u64;

    /// Hides from the compiler where a number came from (see `agent-ebpf/src/memory.rs`).
    fn opaque(n: u64) -> u64;
}

/// Where the first message begins, or may begin as far as the bytes go, in the `len` bytes (1 to
/// `MAX`) of a slice: after a SOH, or at its first byte when that is `first` of a receive call. `len`
/// itself when its last byte is a SOH.
///
/// Without a branch per byte, from the back, so that the first match stays: the verifier would
/// follow every branch.
#[inline(always)]
#[must_use]
pub fn find_start<const MAX: usize, S: SearchedSlice>(
    slice: &S,
    len: u64,
    first: bool,
) -> Option<u64> {
    const LEN: u64 = START.len() as u64;
    let mut found = MAX as u64;
    for index in (1..=MAX - START.len()).rev() {
        let (word, last) = slice.five_at(index);
        let before = u32::from(slice.byte_at(index - 1) ^ SOH);
        let differs = u64::from(start_mismatch(word, last) | before);
        let same = S::opaque(S::opaque(differs).wrapping_sub(1) >> 63);
        found = found * (1 - same) + index as u64 * same;
    }
    if first {
        let (word, last) = slice.five_at(0);
        let word = u64::from(u32::from_le(word)) | u64::from(last) << 32;
        let bytes = if len < LEN { len } else { LEN };
        if word_may_start(word.to_le(), bytes) {
            found = 0;
            if len < LEN {
                return Some(0);
            }
        }
    }
    // What lies behind the slice's end is no match.
    if found + LEN <= len {
        return Some(found);
    }
    let followers = start_at_end(slice.last_five(len))?;
    Some(len - followers)
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
