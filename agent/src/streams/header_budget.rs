//! How many bytes of a message the probes must copy for its header to be complete.

use agent_common::{MAX_SLICE_BYTES, MIN_SLICE_LIMIT_BYTES};

use super::fix::Header;

/// Room for 43=Y and tag 122 with twelve digits of the second, for sessions of which no resend was
/// read yet.
const RESEND_FIELDS_BYTES: usize = "43=Y|122=20260101-00:00:00.000000000000|".len();
/// Room for numbers that grow: MsgSeqNum (34), LastMsgSeqNumProcessed (369), BodyLength (9).
const GROWTH_BYTES: usize = 8;

/// The longest headers read so far, over all sessions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeaderBudget {
    /// The longest header of a fresh message, and of a resend; 0 before the first.
    longest_fresh_bytes: usize,
    longest_resend_bytes: usize,
    /// At least one header was cut off by the budget.
    truncated: bool,
}

impl HeaderBudget {
    /// Takes a complete header into account.
    pub(crate) fn observe(&mut self, header: &Header) {
        let longest = if header.poss_dup {
            &mut self.longest_resend_bytes
        } else {
            &mut self.longest_fresh_bytes
        };
        *longest = (*longest).max(header.bytes);
    }

    /// A header was longer than the budget: from now on it is the largest possible one.
    pub(crate) const fn header_truncated(&mut self) {
        self.truncated = true;
    }

    /// The budget, counted from a message's first byte.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        if self.truncated || self.longest_fresh_bytes.max(self.longest_resend_bytes) == 0 {
            return MAX_SLICE_BYTES;
        }
        let resend = match self.longest_resend_bytes {
            0 => self.longest_fresh_bytes + RESEND_FIELDS_BYTES,
            longest => longest,
        };
        (self.longest_fresh_bytes.max(resend) + GROWTH_BYTES)
            .clamp(MIN_SLICE_LIMIT_BYTES, MAX_SLICE_BYTES)
    }
}
