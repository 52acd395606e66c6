//! How much of a message the probes must hand over for its header to be read.

use agent_common::{MAX_SLICE_BYTES, MIN_SLICE_LIMIT_BYTES};

use super::fix::Header;

/// Room for 43=Y and tag 122 with twelve digits of the second, for sessions whose resends were not
/// seen yet.
const RESEND: usize = "43=Y|122=20260101-00:00:00.000000000000|".len();
/// Room for numbers that grow: MsgSeqNum (34), LastMsgSeqNumProcessed (369), BodyLength (9).
const GROWTH: usize = 8;

/// The headers seen so far, of all sessions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Headers {
    /// What the longest of a fresh message took, and of a resend; 0 before the first.
    fresh: usize,
    resend: usize,
    /// One was cut off.
    torn: bool,
}

impl Headers {
    pub(crate) fn seen(&mut self, header: &Header) {
        let longest = if header.poss_dup {
            &mut self.resend
        } else {
            &mut self.fresh
        };
        *longest = (*longest).max(header.bytes);
    }

    pub(crate) const fn torn(&mut self) {
        self.torn = true;
    }

    /// Bytes from a message's first one.
    pub(crate) fn needed(&self) -> usize {
        if self.torn || self.fresh.max(self.resend) == 0 {
            return MAX_SLICE_BYTES;
        }
        let resend = match self.resend {
            0 => self.fresh + RESEND,
            seen => seen,
        };
        (self.fresh.max(resend) + GROWTH).clamp(MIN_SLICE_LIMIT_BYTES, MAX_SLICE_BYTES)
    }
}
