//! One joined message: its session, its moments, its age and the split of it.

use std::{net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::domain::{aftermath::MessageAftermath, culprit::Charge, matrix::Split};

/// A FIX session on one TCP connection of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId {
    /// SenderCompID (49) of the messages read: the counterparty.
    pub sender: String,
    /// TargetCompID (56) of the messages read: the target process.
    pub target: String,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// The counterparty's end.
    pub remote: SocketAddr,
    /// The process that reads it: thread group id in the initial PID namespace.
    pub pid: u32,
}

/// MsgType (35): one to four characters in all published versions of FIX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MsgType {
    len: u8,
    bytes: [u8; 4],
}

impl MsgType {
    /// Parses the value of field 35; `None` when it is empty, longer than four characters or not
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

    /// The characters of the type.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }

    /// Whether it is a session-level message (FIX session layer, appendix A): heartbeat, test
    /// request, resend request, reject, sequence reset, logout or logon.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        matches!(self.as_str(), "0" | "1" | "2" | "3" | "4" | "5" | "A")
    }
}

/// SendingTime (52) as the venue wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentTime {
    /// Nanoseconds since 1970-01-01 UTC; picoseconds are truncated.
    pub utc_ns: i64,
    /// Resolution of the stamp as written, nanoseconds: 1 s, 1 ms, 1 us or 1 ns (picoseconds count
    /// as 1 ns). The true instant lies in `utc_ns .. utc_ns + resolution_ns`.
    pub resolution_ns: i64,
}

/// Bounds of the instant at which a message was sent, by the venue's clock, nanoseconds since 1970
/// UTC. They lie within those of its [`SentTime`] and are narrower, under the assumptions of
/// `join/narrowing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentBetween {
    /// The earliest possible instant.
    pub earliest_ns: i64,
    /// The latest possible instant.
    pub latest_ns: i64,
}

/// The observation that a hand-off is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HandOff {
    /// The thread went to sleep in a receive call on the same socket, or in a wait (poll, select,
    /// epoll) that covers it.
    Wait,
    /// The thread completed its next receive call on the same socket without sleeping in it. The
    /// hand-off, its entry into that call, is earlier by at most the length of the call.
    Receive,
    /// The function named with `--handoff`.
    Function,
    /// Not observed: events were lost, or the agent ended.
    Unobserved,
    /// Not before the end of the thread, the socket or the run. The age is the one it had then.
    Never,
}

impl HandOff {
    /// The name used in JSON and metrics. Names are part of their format and do not change:
    /// `unseen` is older than the word *unobserved*.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Receive => "receive",
            Self::Function => "function",
            Self::Unobserved => "unseen",
            Self::Never => "never",
        }
    }
}

/// A message whose four moments have been joined. Instants are nanoseconds since 1970 UTC on one
/// clock: the agent's, with the UTC offset that was in force when the message arrived.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its session.
    pub session: Arc<SessionId>,
    /// Thread id of its reader.
    pub tid: u32,
    /// MsgSeqNum (34).
    pub seq: u64,
    /// MsgType (35).
    pub msg_type: MsgType,
    /// Length from BeginString to CheckSum, bytes.
    pub bytes: u32,
    /// Whether it is a resend (43=Y), whose age counts from OrigSendingTime (122).
    pub poss_dup: bool,
    /// SendingTime (52), or OrigSendingTime (122) of a resend.
    pub sent: SentTime,
    /// Narrower bounds of the same instant, where there are any.
    pub sent_between: Option<SentBetween>,
    /// When its last byte became readable; `None` when that was not observed.
    pub arrived_ns: Option<i64>,
    /// When the receive call that handed over its last byte returned.
    pub received_ns: i64,
    /// When the application was through with it.
    pub handed_off_ns: i64,
    /// The same instant on the clock of [`super::Wait`]: `CLOCK_MONOTONIC`, nanoseconds.
    pub handed_off_at: u64,
    /// When our window was first closed after the message was sent, `CLOCK_MONOTONIC` nanoseconds:
    /// it was held back between this and its arrival. Only attribution needs it; it is not
    /// recorded.
    pub held_back_from: u64,
    /// The observation that the hand-off is taken from.
    pub hand_off: HandOff,
    /// How much of its time in flight an acknowledgement of ours is known to have been pending,
    /// nanoseconds: a venue without TCP_NODELAY waits for it. 0 for resends.
    pub ack_pending_ns: u64,
    /// The age, and the matrix that sums to it.
    pub split: Split,
    /// Charges by part and culprit. Those of one part sum to that part at most; the rest belongs
    /// to [`CulpritId::OTHER`](super::CulpritId::OTHER).
    pub charges: Vec<Charge>,
    /// How much of its run-queue and CPU time is the aftermath of other waits.
    pub aftermath: MessageAftermath,
}

impl Message {
    /// Lower and upper bound of the age by `sent_between`, nanoseconds. They lie within the
    /// rigorous bounds, which are the age less one resolution and the age.
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
