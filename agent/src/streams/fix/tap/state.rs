//! Where the tap is in the stream, and what it retains of it.

use super::super::{
    fields::FieldWalk,
    framing::{MAX_PREFIX_BYTES, Prefix, TRAILER_LEN, prefix},
};

/// A header is searched in this many bytes of a message at the most.
const MAX_HEADER_BYTES: usize = 256;

/// Where the tap is in the stream.
#[derive(Clone, Copy)]
pub(super) enum TapState {
    /// Nowhere: the next SOH is searched, after which a message may start.
    Lost,
    /// Where a message starts, or where one may start if it was not `expected`. Retained: what has
    /// come of fields 8 and 9.
    Start { expected: bool },
    /// In a header whose BodyLength has been read. Retained: the message so far.
    Header(Frame, FieldWalk),
    /// Past what is needed of the header. Nothing is retained.
    Body(Frame),
    /// In the trailer. Retained: what has come of it without a gap. `boundary`: that may start with
    /// a message, if this is no trailer after all.
    Trailer { frame: Frame, boundary: bool },
}

/// Where a message lies in the stream.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) start: u64,
    /// Where its trailer starts.
    pub(super) trailer: u64,
    pub(super) end: u64,
}

impl Frame {
    /// `None` when the message would end past the last offset there is.
    pub(super) fn new(start: u64, prefix_len: u32, body: u32) -> Option<Self> {
        let trailer = start
            .checked_add(u64::from(prefix_len))?
            .checked_add(u64::from(body))?;
        let end = trailer.checked_add(TRAILER_LEN as u64)?;
        Some(Self {
            start,
            trailer,
            end,
        })
    }

    /// Where the header ends at the latest, counted from the start of the message.
    pub(super) fn header_limit(&self) -> usize {
        (self.trailer - self.start).min(MAX_HEADER_BYTES as u64) as usize
    }
}

/// Bytes retained across calls.
pub(super) struct RetainedBytes {
    pub(super) len: usize,
    bytes: [u8; MAX_HEADER_BYTES],
}

impl RetainedBytes {
    pub(super) const fn new() -> Self {
        Self {
            len: 0,
            bytes: [0; MAX_HEADER_BYTES],
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        self.bytes[self.len..][..more.len()].copy_from_slice(more);
        self.len += more.len();
    }

    pub(super) fn drop_first(&mut self, n: usize) {
        self.bytes.copy_within(n..self.len, 0);
        self.len -= n;
    }
}

/// What some bytes are, taken as the beginning of a message at this offset.
pub(super) enum Framed {
    Whole(Frame, FieldWalk),
    Partial,
    Broken { started: bool },
}

pub(super) fn framed(start: u64, bytes: &[u8]) -> Framed {
    match prefix(&bytes[..bytes.len().min(MAX_PREFIX_BYTES)]) {
        Prefix::Whole { len, body } => match Frame::new(start, len, body) {
            Some(frame) => Framed::Whole(frame, FieldWalk::new(len as usize)),
            None => Framed::Broken { started: true },
        },
        Prefix::Partial => Framed::Partial,
        Prefix::Broken { started } => Framed::Broken { started },
    }
}
