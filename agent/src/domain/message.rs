//! One message, joined: who sent it, its moments, and where its age went.

use std::{net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::domain::{aftermath::MessageAftermath, culprit::Charge, matrix::Split};

/// One FIX session as seen on one socket of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId {
    /// SenderCompID (49) of the messages read, i.e. the counterparty.
    pub sender: String,
    /// TargetCompID (56) of the messages read, i.e. the watched process.
    pub target: String,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// The counterparty's end.
    pub remote: SocketAddr,
    /// The process that reads it (thread group id, in the initial PID namespace).
    pub pid: u32,
}

/// MsgType (35): one to four characters in every published version of FIX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MsgType {
    len: u8,
    bytes: [u8; 4],
}

impl MsgType {
    /// Reads the value of field 35; `None` when it is empty, longer than four characters, or not
    /// alphanumeric.
    #[must_use]
    pub fn new(value: &[u8]) -> Option<Self> {
        let fits = (1..=4).contains(&value.len()) && value.iter().all(u8::is_ascii_alphanumeric);
        fits.then(|| {
            let mut bytes = [0; 4];
            bytes[..value.len()].copy_from_slice(value);
            Self {
                len: value.len() as u8,
                bytes,
            }
        })
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }

    /// Session-level messages (FIX session layer, appendix A): heartbeat, test request, resend
    /// request, reject, sequence reset, logout, logon.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        matches!(self.as_str(), "0" | "1" | "2" | "3" | "4" | "5" | "A")
    }
}

/// SendingTime as the venue wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentTime {
    /// Nanoseconds since 1970-01-01 UTC; picoseconds are cut off.
    pub utc_ns: i64,
    /// The distance between two stamps of the precision written: 1 s, 1 ms, 1 us, 1 ns (picoseconds
    /// count as 1 ns). The true instant lies in `utc_ns .. utc_ns + resolution_ns`.
    pub resolution_ns: i64,
}

/// Between which instants a message was sent, by the venue's clock, nanoseconds since 1970 UTC:
/// within what its [`SentTime`] says, and narrower. Rests on what [`crate::join::phase`] assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentBetween {
    /// Not before.
    pub earliest_ns: i64,
    /// Not after.
    pub latest_ns: i64,
}

/// What ended the stage in app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HandOff {
    /// The thread went to sleep in a receive call on the same socket, or in a wait that covers it.
    Wait,
    /// The thread completed its next receive call on the same socket without sleeping in it: the
    /// entry was at most the length of that call earlier.
    Receive,
    /// The function named with `--handoff`.
    Function,
    /// Not seen: the thread or the socket ended, or events were lost.
    Unseen,
}

impl HandOff {
    /// The name used in JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Receive => "receive",
            Self::Function => "function",
            Self::Unseen => "unseen",
        }
    }
}

/// A message whose four moments have been joined. Instants are nanoseconds since 1970 UTC, all on
/// one clock: the agent's, with the UTC offset in force when the message arrived.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it came in.
    pub session: Arc<SessionId>,
    /// The thread that received it.
    pub tid: u32,
    /// MsgSeqNum (34).
    pub seq: u64,
    /// MsgType (35).
    pub msg_type: MsgType,
    /// Its length, from BeginString to CheckSum, bytes.
    pub bytes: u32,
    /// PossDupFlag (43) was Y: a resend. Its age counts from OrigSendingTime (122).
    pub poss_dup: bool,
    /// SendingTime (52); of a resend OrigSendingTime (122).
    pub sent: SentTime,
    /// The same, narrowed; `None` when there is nothing narrower to say.
    pub sent_between: Option<SentBetween>,
    /// Its last byte became readable; `None` when that was not seen.
    pub arrived_ns: Option<i64>,
    /// The receive call that handed over its last byte returned.
    pub received_ns: i64,
    /// The application was through with it.
    pub handed_off_ns: i64,
    /// The same instant, `CLOCK_MONOTONIC` ns: the clock of [`super::Wait`].
    pub handed_off_at: u64,
    /// When the window was first closed after the message was sent, `CLOCK_MONOTONIC` ns: what it
    /// was held back for lies between this and its arrival. Only attribution needs it; it is not
    /// recorded.
    pub held_back_from: u64,
    /// What the hand-off was taken from.
    pub hand_off: HandOff,
    /// For so long of its time in flight (network) an acknowledgement of ours is known to have been
    /// pending, ns: a venue without TCP_NODELAY waits for it. 0 for resends.
    pub ack_pending_ns: u64,
    /// The age and the parts that make it up.
    pub split: Split,
    /// Who is charged with its parts: of each part at most as much as it has, the rest is
    /// [`CulpritId::OTHER`](super::CulpritId::OTHER)'s.
    pub charges: Vec<Charge>,
    /// How much of its time on the run queue is the aftermath of other waits.
    pub aftermath: MessageAftermath,
}

impl Message {
    /// The narrowed lower and upper bound of the age, nanoseconds; within the rigorous ones, the
    /// age less one resolution and the age.
    #[must_use]
    pub fn age_narrowed(&self) -> Option<(i64, i64)> {
        let between = self.sent_between?;
        let age_if_sent = |at: i64| self.split.age_ns() - (at - self.sent.utc_ns);
        Some((
            age_if_sent(between.latest_ns),
            age_if_sent(between.earliest_ns),
        ))
    }
}
