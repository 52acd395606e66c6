//! The state machine over the stream.

mod message;
mod offsets;
mod resync;
mod state;

use std::fmt;

use self::{
    resync::ResumePoints,
    state::{RetainedBytes, TapState},
};
use super::{Header, TapTotals};

/// Reads the messages of one socket's receive stream, from chunks with their stream offsets.
///
/// The walk goes by BodyLength (9), from `8=FIX` to `8=FIX`. What is read of a message is the same
/// however the stream is split into chunks, and whichever bytes between the end of its header and
/// its own end are missing. A header is searched in the first 256 bytes of a message; a field
/// that goes past them is not read. It is complete at the first tag that is not of the standard
/// header.
///
/// When the framing breaks, the tap goes on at the next `8=FIX` after a SOH, at the first byte of a
/// receive call, where the broken message should have ended, or after a gap. See [`TapTotals`] for
/// what is then counted.
///
/// A tap takes a fixed amount of memory, and none from the heap.
pub(crate) struct Tap {
    /// The offset expected next; `None` before the first chunk.
    at: Option<u64>,
    state: TapState,
    retained: RetainedBytes,
    resume_points: ResumePoints,
    counts: TapTotals,
}

impl Default for Tap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("expected", &self.at)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Tap {
    /// A tap that has read nothing. It can be attached anywhere in a stream.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            at: None,
            state: TapState::Start { expected: false },
            retained: RetainedBytes::new(),
            resume_points: ResumePoints::default(),
            counts: TapTotals::default(),
        }
    }

    /// What has been counted so far.
    #[must_use]
    pub(crate) fn counts(&self) -> TapTotals {
        let pending = match self.state {
            TapState::Start { .. } | TapState::Trailer { .. } => self.retained.len,
            TapState::Lost | TapState::Header(..) | TapState::Body(_) => 0,
        };
        TapTotals {
            pending_bytes: pending as u64,
            ..self.counts
        }
    }

    /// The stream offset that follows on what has been fed; `None` before the first chunk.
    #[must_use]
    pub(crate) const fn expected(&self) -> Option<u64> {
        self.at
    }

    /// A receive call begins at this stream offset, with the chunk that is fed next: out of step, a
    /// message may begin there.
    pub(crate) fn receive_begins(&mut self, offset: u64) {
        self.resume_points.receive_call = Some(offset);
        if matches!(self.state, TapState::Lost) && self.at == Some(offset) {
            self.state = TapState::Start { expected: false };
        }
    }

    /// Reads a chunk whose first byte is at the stream offset `offset`, and hands every header that
    /// it completes to `found`, in stream order and each once.
    ///
    /// Bytes at offsets that were passed before are not read again. A chunk that lies wholly 1 MiB
    /// or more behind is taken for another stream: the tap starts over at its offset. An empty
    /// chunk says nothing.
    pub(crate) fn feed(&mut self, offset: u64, bytes: &[u8], found: &mut impl FnMut(Header)) {
        self.counts.offered_bytes += bytes.len() as u64;
        let mut rest = self.align(offset, bytes);
        while let (Some(at), false) = (self.at, rest.is_empty()) {
            let read = match self.state {
                TapState::Lost => self.search(at, rest),
                TapState::Start { expected } => self.start(expected, at, rest, found),
                TapState::Header(frame, walk) => self.header(frame, walk, rest, found),
                TapState::Body(frame) => self.body(frame, at, rest),
                TapState::Trailer { frame, boundary } => self.trailer(frame, boundary, at, rest),
            };
            rest = &rest[read..];
            self.at = Some(at + read as u64);
        }
    }
}
