//! What waits on a session at one instant: ages of messages that were handed off are the past.

use serde::{Deserialize, Serialize};

use crate::domain::{
    culprit::{CulpritId, ThreadName},
    matrix::{Part, Split},
};

/// The least time without a hand-off, nanoseconds, after which a session counts as stalled.
const MIN_STALL_NS: u64 = 500_000_000;

/// What waits on one session, and what its reader does, at one instant. Instants are
/// `CLOCK_MONOTONIC` nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The instant.
    pub at_ns: u64,
    /// Received and not handed off.
    pub in_hand: InHand,
    /// In the receive queue of the kernel.
    pub queued: Queued,
    /// Since when our receive window is closed; `None` while it is open. That something waits at
    /// the sender is likely then and not proven.
    pub window_closed_since_ns: Option<u64>,
    /// The waiting age and its parts so far: that of the oldest fresh message in hand, or of the
    /// first unread byte, whichever is larger.
    pub split: Split,
    /// The age is that of the first unread byte since it arrived. Its message is older: tag 52 has
    /// not been read.
    pub is_lower_bound: bool,
    /// Since when something has waited for the reader without a pause; `None` when nothing waits.
    pub waits_since_ns: Option<u64>,
    /// When a message was handed off last; `None` before the first.
    pub last_hand_off_ns: Option<u64>,
    /// What the reader does; `None` before the first receive call.
    pub reader: Option<ReaderActivity>,
    /// What the reader did since the sample before, when something waited for it all the time,
    /// nanoseconds by part; else 0.
    pub waited_ns: [u64; Part::ALL.len()],
}

/// Messages that the application has received and not handed off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InHand {
    /// Their number, exact.
    pub messages: u64,
    /// Their length, bytes.
    pub bytes: u64,
}

/// Bytes that have arrived and that the application has not received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Their number, exact.
    pub bytes: u64,
    /// About how many messages that is, by the mean length of those before; `None` before the
    /// first.
    pub messages: Option<u64>,
    /// When the first of them arrived, or when the socket was first observed; `None` without any.
    pub since_ns: Option<u64>,
}

/// What the reader of a session does at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderActivity {
    /// Its thread id.
    pub tid: u32,
    /// Its process.
    pub pid: u32,
    /// Its state: any part but [`Part::Network`].
    pub state: Part,
    /// Since when.
    pub since_ns: u64,
    /// What it sleeps in. Only attribution needs it; it is not recorded.
    #[serde(skip)]
    pub sleep: Option<SleepObject>,
    /// Who or what it waits for, as far as that is known while the wait goes on.
    pub culprit: Option<CulpritId>,
    /// What the owner of a lock is known by.
    pub owner: OwnerEvidence,
    /// The threads of the cycle in which each waits for a lock of the next, the reader's owner
    /// first; empty when it is no deadlock.
    pub deadlock: Vec<ThreadName>,
}

/// What a sleep is on, in numbers of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SleepObject {
    /// A futex.
    Lock {
        /// The process.
        pid: u32,
        /// The address of its word.
        address: u64,
    },
    /// A system call.
    Call {
        /// The process.
        pid: u32,
        /// Its number; -1 for an exception, or one of `agent_common::syscall::pseudo`.
        number: i64,
        /// Its first argument.
        argument: u64,
    },
}

/// What the owner of a lock is known by while a wait goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OwnerEvidence {
    /// It is not known, or there is none.
    #[default]
    None,
    /// The lock itself says so.
    Lock,
    /// It released the lock last: it is likely.
    LastRelease,
}

impl OwnerEvidence {
    /// The name used in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lock => "lock",
            Self::LastRelease => "last_release",
        }
    }
}

impl Waiting {
    /// The waiting age, nanoseconds: 0 when nothing waits.
    #[must_use]
    pub fn age_ns(&self) -> i64 {
        self.split.age_ns().max(0)
    }

    /// Whether anything waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waits_since_ns.is_none()
    }

    /// For how long something has waited without a hand-off, nanoseconds; 0 when nothing waits.
    #[must_use]
    pub fn without_hand_off_ns(&self) -> u64 {
        let Some(since_ns) = self.waits_since_ns else {
            return 0;
        };
        let from_ns = since_ns.max(self.last_hand_off_ns.unwrap_or(0));
        self.at_ns.saturating_sub(from_ns)
    }

    /// Whether the session is stalled: something waits, and nothing was handed off for longer than
    /// what counts as healthy, and half a second at the least.
    #[must_use]
    pub fn is_stalled(&self, healthy_ns: u64) -> bool {
        self.without_hand_off_ns() > healthy_ns.max(MIN_STALL_NS)
    }

    /// Nanoseconds since an instant before it.
    #[must_use]
    pub const fn since(&self, at_ns: u64) -> u64 {
        self.at_ns.saturating_sub(at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Matrix, Stage};

    fn waiting(at_ns: u64, since_ns: Option<u64>, last_hand_off_ns: Option<u64>) -> Waiting {
        let mut matrix = Matrix::default();
        let age_ns = since_ns.map_or(0, |since| (at_ns - since).cast_signed());
        matrix.add(Stage::Queued, Part::Blocked, age_ns);
        Waiting {
            at_ns,
            in_hand: InHand::default(),
            queued: Queued::default(),
            window_closed_since_ns: None,
            split: Split::new(age_ns, matrix).expect("balanced"),
            is_lower_bound: true,
            waits_since_ns: since_ns,
            last_hand_off_ns,
            reader: None,
            waited_ns: [0; Part::ALL.len()],
        }
    }

    #[test]
    fn a_session_is_stalled_while_something_waits_and_nothing_is_handed_off() {
        const S: u64 = 1_000_000_000;
        // Quiet for an hour, and a message that came just now.
        let now = waiting(3_600 * S, Some(3_600 * S - 1_000), Some(5));
        assert!(!now.is_stalled(0));
        let later = waiting(3_601 * S, Some(3_600 * S - 1_000), Some(5));
        assert!(later.is_stalled(0));
        assert!(!later.is_stalled(2 * S));
        // Something always waits, and messages are handed off all the time.
        let behind = waiting(100 * S, Some(S), Some(100 * S - S / 10));
        assert!(!behind.is_stalled(0));
        assert!(!waiting(100 * S, None, None).is_stalled(0));
        // Before the first hand-off of all.
        assert!(waiting(100 * S, Some(S), None).is_stalled(0));
    }
}
