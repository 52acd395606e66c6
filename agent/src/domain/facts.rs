//! What is told about a session besides its messages.

use serde::{Deserialize, Serialize};

use crate::domain::matrix::Part;

/// Why a message has no age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExclusionReason {
    /// It has no SendingTime (52).
    NoSendingTime,
    /// Its SendingTime (52), or of a resend its OrigSendingTime (122), is not a time.
    BadSendingTime,
    /// A resend (43=Y) without OrigSendingTime (122).
    ResendWithoutOrigTime,
    /// The receive call that handed it over was not seen.
    ReceiveUnseen,
    /// Its parts did not make up its age: a defect of the agent.
    Unbalanced,
}

impl ExclusionReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::NoSendingTime,
        Self::BadSendingTime,
        Self::ResendWithoutOrigTime,
        Self::ReceiveUnseen,
        Self::Unbalanced,
    ];

    /// The name used in JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSendingTime => "no_sending_time",
            Self::BadSendingTime => "bad_sending_time",
            Self::ResendWithoutOrigTime => "resend_without_orig_time",
            Self::ReceiveUnseen => "receive_unseen",
            Self::Unbalanced => "unbalanced",
        }
    }
}

/// What the reader of the byte stream met besides whole messages: since it was last told when given
/// to the model, since the start or in an interval when read from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapCounts {
    /// Messages whose framing was wrong.
    pub garbled: u64,
    /// Bytes passed over to find the next message.
    pub skipped_bytes: u64,
    /// Bytes of the stream that never reached the agent.
    pub lost_bytes: u64,
    /// Messages whose header was longer than what was copied, was torn by a loss, or lacked a
    /// field.
    pub incomplete_headers: u64,
}

impl TapCounts {
    pub(crate) const fn absorb(&mut self, other: &Self) {
        self.garbled += other.garbled;
        self.skipped_bytes += other.skipped_bytes;
        self.lost_bytes += other.lost_bytes;
        self.incomplete_headers += other.incomplete_headers;
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The lock waits of a session's ingest thread since the session was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockWaitTotals {
    /// Waits, timed-out ones on one address joined.
    pub lock_waits: u64,
    /// The longest of them, in nanoseconds.
    pub longest_lock_wait_ns: u64,
}

/// How often, and for how long, our receive window was closed, since the session was first seen:
/// stretches that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowClosures {
    /// Stretches.
    pub closed: u64,
    /// The longest, in nanoseconds.
    pub longest_ns: u64,
    /// What the ingest thread was doing in them, in nanoseconds, by `Part as usize`.
    pub parts: [u64; Part::ALL.len()],
}

impl WindowClosures {
    /// For how long altogether, in nanoseconds.
    #[must_use]
    pub fn closed_ns(&self) -> u64 {
        self.parts.iter().sum()
    }

    /// Another connection's.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.closed += other.closed;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        for (mine, theirs) in self.parts.iter_mut().zip(other.parts) {
            *mine += theirs;
        }
    }

    /// What came since `earlier`; the longest is that of all.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            closed: self.closed.saturating_sub(earlier.closed),
            longest_ns: self.longest_ns,
            parts: std::array::from_fn(|i| self.parts[i].saturating_sub(earlier.parts[i])),
        }
    }
}
