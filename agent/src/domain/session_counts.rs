//! What is counted of a session besides the ages of its messages.

use serde::{Deserialize, Serialize};

use crate::domain::matrix::Part;

/// Why a message has no age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExclusionReason {
    /// SendingTime (52) is missing.
    NoSendingTime,
    /// SendingTime (52), or OrigSendingTime (122) of a resend, is not a valid time stamp.
    BadSendingTime,
    /// A resend (43=Y) without OrigSendingTime (122).
    ResendWithoutOrigTime,
    /// The receive call that handed it over was not observed.
    ReceiveUnobserved,
    /// The parts do not sum to the age: a defect of the agent.
    Unbalanced,
}

impl ExclusionReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::NoSendingTime,
        Self::BadSendingTime,
        Self::ResendWithoutOrigTime,
        Self::ReceiveUnobserved,
        Self::Unbalanced,
    ];

    /// The name used in JSON and metrics. Names are part of their format and do not change:
    /// `receive_unseen` is older than the word *unobserved*.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSendingTime => "no_sending_time",
            Self::BadSendingTime => "bad_sending_time",
            Self::ResendWithoutOrigTime => "resend_without_orig_time",
            Self::ReceiveUnobserved => "receive_unseen",
            Self::Unbalanced => "unbalanced",
        }
    }
}

/// Irregularities that the tap met in a byte stream. An update carries those since the update
/// before; figures carry those of an interval or since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapCounts {
    /// Messages with invalid framing.
    pub garbled: u64,
    /// Bytes skipped to find the beginning of the next message.
    pub skipped_bytes: u64,
    /// Bytes of the stream that did not reach the agent.
    pub lost_bytes: u64,
    /// Messages whose header was longer than the slice copied by the probe, was cut by a loss, or
    /// lacked a field.
    pub incomplete_headers: u64,
}

impl TapCounts {
    pub(crate) const fn absorb(&mut self, other: &Self) {
        self.garbled += other.garbled;
        self.skipped_bytes += other.skipped_bytes;
        self.lost_bytes += other.lost_bytes;
        self.incomplete_headers += other.incomplete_headers;
    }

    /// Whether every count is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The lock waits of a session's reader, cumulative since the session was first observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockWaitTotals {
    /// Number of waits; consecutive timed-out waits on one address count as one.
    pub lock_waits: u64,
    /// The longest one, nanoseconds.
    pub longest_lock_wait_ns: u64,
}

/// The closures of our receive window that have ended, cumulative since the session was first
/// observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowClosures {
    /// Number of closures.
    pub closed: u64,
    /// The longest one, nanoseconds.
    pub longest_ns: u64,
    /// Closed time by what the reader did meanwhile, nanoseconds, indexed by `Part as usize`.
    pub parts: [u64; Part::ALL.len()],
}

impl WindowClosures {
    /// The summed length of all closures, nanoseconds.
    #[must_use]
    pub fn closed_ns(&self) -> u64 {
        self.parts.iter().sum()
    }

    /// Adds the closures of another connection.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.closed += other.closed;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        for (mine, theirs) in self.parts.iter_mut().zip(other.parts) {
            *mine += theirs;
        }
    }

    /// The closures since `earlier`. `longest_ns` remains the longest of all.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            closed: self.closed.saturating_sub(earlier.closed),
            longest_ns: self.longest_ns,
            parts: std::array::from_fn(|i| self.parts[i].saturating_sub(earlier.parts[i])),
        }
    }
}
