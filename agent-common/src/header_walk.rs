//! The steps of the header walk: which bytes of a stream leave the kernel.
//!
//! BodyLength (9) says where the next message begins, so a message's body is never read, let alone
//! copied. Out of step (a late start, wrong BodyLength, garbage) whole bytes are sliced until a
//! message begins; the agent's parser does not depend on how much it is given.
//!
//! The walk comes to its end whatever arrives: of two steps at one place, the second one has another
//! mode, and a place that was refused as a message's beginning is not tried again.

use crate::framing::{MAX_PREFIX_BYTES, Prefix, TRAILER_BYTES};

#[cfg(any(test, feature = "host-walk"))]
pub mod host;

/// Bytes of a message's beginning that are gathered.
pub const PREFIX_BYTES: usize = MAX_PREFIX_BYTES;
/// Room for two prefixes: the verifier cannot relate where a copy starts to how long it is.
pub const PREFIX_ROOM: usize = 2 * PREFIX_BYTES;

/// The most times that one receive call is searched for a message's beginning: up to
/// [`MAX_SLICE_BYTES`](crate::MAX_SLICE_BYTES) at a time, so garbage of 64 KiB, or so many
/// beginnings that turn out to be none. What a counterparty sends must not hold up the reader.
pub const MAX_SEARCHES: u32 = 256;

/// Values of [`HeaderWalk::mode`].
pub mod walk_mode {
    /// Out of step: whole bytes are sliced until a message begins.
    pub const SEARCH: u32 = 0;
    /// `HeaderWalk::message_seq` is where a message begins, its length is not known yet.
    pub const PREFIX: u32 = 1;
    /// `HeaderWalk::message_seq` is where a message begins and `HeaderWalk::end_seq` where the next
    /// one does.
    pub const FRAMED: u32 = 2;
}

/// Where the header walk is in the stream.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HeaderWalk {
    /// One of [`walk_mode`].
    pub mode: u32,
    /// First byte of the message being walked.
    pub message_seq: u32,
    /// One past its last byte.
    pub end_seq: u32,
    /// How many bytes of `prefix` are filled.
    pub prefix_len: u32,
    /// Where the next receive call should begin.
    pub next_seq: u32,
    /// 1: at the next byte no message begins, fields 8 and 9 were refused there.
    pub refused: u32,
    /// The message's first bytes, gathered over as many receive calls as it takes.
    pub prefix: [u8; PREFIX_ROOM],
}

const _: () = assert!(size_of::<HeaderWalk>() == 24 + PREFIX_ROOM);
// Indices into the prefix are masked.
const _: () = assert!(PREFIX_ROOM.is_power_of_two());

/// What to do with the bytes that come next in a message whose end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramedStep {
    /// Slice so many bytes: header.
    Slice(u64),
    /// Skip so many bytes, after which the next message begins: the rest is body.
    NextMessage(u64),
    /// Skip all there is: body.
    SkipAll,
}

/// What the bytes gathered of a message's prefix say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixStep {
    /// The message's end is known.
    Framed,
    /// More bytes are needed.
    Partial,
    /// No message begins here.
    OutOfStep,
}

impl HeaderWalk {
    /// A message begins at `seq`, or may.
    #[inline(always)]
    pub const fn begin_message(&mut self, seq: u32) {
        self.mode = walk_mode::PREFIX;
        self.message_seq = seq;
        self.prefix_len = 0;
    }

    /// Where a message begins is not known.
    #[inline(always)]
    pub const fn lose_step(&mut self) {
        self.mode = walk_mode::SEARCH;
        self.refused = 0;
    }

    /// 1 when the search may find a message's beginning at the next byte, else 0; `is_first` is 1
    /// when that is the first one of a receive call. Asked once for each search.
    #[inline(always)]
    pub const fn may_begin_here(&mut self, is_first: u64) -> u64 {
        let refused = self.refused as u64;
        self.refused = 0;
        is_first & !refused
    }

    /// The step in mode [`walk_mode::FRAMED`], at `seq`, with `left` bytes at hand, when at most
    /// `limit` bytes of a message are sliced.
    #[inline(always)]
    #[must_use]
    pub const fn framed_step(&self, seq: u32, left: u64, limit: u64) -> FramedStep {
        let to_end = self.end_seq.wrapping_sub(seq) as u64;
        let done = seq.wrapping_sub(self.message_seq) as u64;
        if done < limit && to_end != 0 {
            let more = limit - done;
            return FramedStep::Slice(if to_end < more { to_end } else { more });
        }
        if to_end > left {
            FramedStep::SkipAll
        } else {
            FramedStep::NextMessage(to_end)
        }
    }

    /// The step in mode [`walk_mode::PREFIX`], with `len` bytes of the prefix gathered, at most
    /// [`PREFIX_BYTES`].
    #[inline(always)]
    pub fn prefix_step(&mut self, len: u64) -> PrefixStep {
        let Self {
            prefix, end_seq, ..
        } = self;
        // Masked, so that no check is left that could panic.
        let byte = |index: usize| prefix[index % PREFIX_ROOM];
        // Of a map value the verifier knows nothing. Without a message's end, the field is free.
        let forget = |field: usize| {
            // SAFETY: a reference.
            unsafe {
                core::ptr::write_volatile(end_seq, field as u32);
                core::ptr::read_volatile(end_seq) as usize
            }
        };
        let prefix = if len == PREFIX_BYTES as u64 {
            // The usual case, with fewer checks whether a byte is there.
            Prefix::read(PREFIX_BYTES, byte, forget)
        } else {
            Prefix::read(len as usize, byte, forget)
        };
        match prefix {
            Prefix::Whole { len, body } => {
                self.mode = walk_mode::FRAMED;
                self.end_seq = self.message_seq.wrapping_add(len + body + TRAILER_BYTES);
                PrefixStep::Framed
            }
            Prefix::Partial => {
                self.prefix_len = len as u32;
                PrefixStep::Partial
            }
            Prefix::Broken { .. } => {
                self.mode = walk_mode::SEARCH;
                // Bytes that came with an earlier receive call lie behind: the next byte is then
                // another one than the one refused.
                self.refused = u32::from(self.prefix_len == 0);
                PrefixStep::OutOfStep
            }
        }
    }
}

#[cfg(test)]
mod tests;
