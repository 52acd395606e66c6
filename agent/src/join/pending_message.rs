//! The account of one message: from its moments and what the reader did between them to a matrix
//! that makes up its age exactly.

use std::sync::Arc;

use agent_common::Snapshot;

use super::{pending_acks::Acks, reader_history::Past, state_times::Waiting, window::Window};
use crate::{
    domain::{
        ExclusionReason, HandOff, Matrix, Message, MessageAftermath, Part, SentBetween, SentTime,
        SessionId, Split, Stage, Unbalanced,
    },
    streams::fix::Header,
};

/// What is known of a receive call besides its instant.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// The receiving thread's counters.
    pub reader: Snapshot,
    /// False when the call that handed the message over was not seen and this is a later one: then
    /// the message's time in the queue is not known either.
    pub whole: bool,
    /// What the thread did before, where it was not the socket's reader yet.
    pub past: Option<&'a Past>,
}

impl Receipt<'_> {
    /// What the thread did while the message was in the queue, from `arrived` on.
    fn queued(&self, arrived: &Snapshot) -> Waiting {
        let Self {
            reader,
            whole,
            past,
        } = self;
        match past {
            _ if !whole => Waiting::unknown(reader.at_ns - arrived.at_ns),
            Some(past) if !reader.continues(arrived) => past.between(arrived.at_ns, reader),
            _ => Waiting::between(arrived, reader),
        }
    }
}

/// A message that was received and is not handed off yet.
#[derive(Clone, Debug)]
pub struct Received {
    header: Header,
    sent: SentTime,
    sent_between: Option<SentBetween>,
    /// SendingTime on the monotonic clock, ns.
    sent_at: i64,
    /// UTC minus monotonic time, ns, when it arrived.
    utc_offset: i64,
    arrived_at: Option<u64>,
    reader: Snapshot,
    matrix: Matrix,
    /// See [`Message::held_back_from`].
    held_back_from: u64,
    ack_pending: u64,
}

/// Which time a message's age counts from.
///
/// # Errors
/// Why it has no age.
pub fn sent_time(header: &Header) -> Result<SentTime, ExclusionReason> {
    if header.poss_dup {
        header
            .orig_sending_time
            .ok_or(ExclusionReason::ResendWithoutOrigTime)
    } else {
        header.sending_time.ok_or(ExclusionReason::NoSendingTime)
    }
}

impl Received {
    /// The message of `header` came with the receive call of `receipt`. `arrived` is when its last
    /// byte became readable, if that was seen; `offset_at` gives UTC minus monotonic time.
    ///
    /// # Errors
    /// Why the message has no age.
    pub fn new(
        header: Header,
        arrived: Option<Snapshot>,
        receipt: Receipt<'_>,
        (window, acks): (&Window, &Acks),
        offset_at: impl Fn(u64) -> i64,
    ) -> Result<Self, ExclusionReason> {
        let reader = receipt.reader;
        let sent = sent_time(&header)?;
        // Stamps of two CPUs may disagree by a little; the copy was after the arrival.
        let arrived = arrived.map(|a| if a.at_ns > reader.at_ns { reader } else { a });
        let utc_offset = offset_at(arrived.map_or(reader.at_ns, |a| a.at_ns));
        let sent_at = sent.utc_ns.saturating_sub(utc_offset);
        let mut matrix = Matrix::default();
        let mut ack_pending = 0;
        let mut held_back_from = arrived.map_or(reader.at_ns, |a| a.at_ns);
        match arrived {
            Some(arrived) => {
                let mut in_flight = arrived.at_ns as i64 - sent_at;
                if in_flight > 0 {
                    // Before the window was watched there is no telling network from held back.
                    let known_since = window.known_since().min(arrived.at_ns) as i64;
                    let unseen = (known_since - sent_at).max(0);
                    matrix.add(Stage::InFlight, Part::Unknown, unseen);
                    let held = window.held_back(sent_at.max(0) as u64, &arrived);
                    held.charge(&mut matrix, Stage::HeldBack);
                    held_back_from = window.closed_from(sent_at.max(0) as u64, arrived.at_ns);
                    in_flight -= unseen + held.total() as i64;
                    if !header.poss_dup {
                        // It was sent no later than the next stamp of its precision would say. What
                        // was held back may overlap with what was pending: only the rest is known
                        // to be of the time in flight.
                        let latest = sent_at.saturating_add(sent.resolution_ns - 1).max(0) as u64;
                        let pending = acks.pending(latest, arrived.at_ns);
                        let of_flight = pending.saturating_sub(held.total());
                        ack_pending = of_flight.min(in_flight.max(0) as u64);
                    }
                }
                matrix.add(Stage::InFlight, Part::Network, in_flight);
                let queued = receipt.queued(&arrived);
                queued.charge(&mut matrix, Stage::Queued);
            }
            None => {
                let unseen = reader.at_ns as i64 - sent_at;
                let part = if unseen < 0 {
                    // Ahead of us even when received: skew, whatever lay between.
                    Part::Network
                } else {
                    Part::Unknown
                };
                matrix.add(Stage::InFlight, part, unseen);
            }
        }
        Ok(Self {
            header,
            sent,
            sent_between: None,
            sent_at,
            utc_offset,
            arrived_at: arrived.map(|a| a.at_ns),
            reader,
            matrix,
            held_back_from,
            ack_pending,
        })
    }

    /// When it was sent, on the monotonic clock, ns; 0 when that was before the machine started.
    #[must_use]
    pub fn sent_at(&self) -> u64 {
        self.sent_at.max(0) as u64
    }

    /// More is known of when it was sent than its stamp says.
    #[must_use]
    pub fn sent_between(mut self, between: Option<SentBetween>) -> Self {
        self.sent_between = between;
        self
    }

    /// MsgSeqNum.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.header.seq
    }

    /// Whether it may be what an engine has waited for while it kept later messages back: a resend
    /// or a SequenceReset.
    #[must_use]
    pub fn may_fill_a_gap(&self) -> bool {
        self.header.poss_dup || self.header.msg_type.as_str() == "4"
    }

    /// When it was received, on the monotonic clock, ns.
    #[must_use]
    pub const fn received_at(&self) -> u64 {
        self.reader.at_ns
    }

    /// MsgType says that the session layer handles it: the application never sees it.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.header.msg_type.is_admin()
    }

    /// The thread was through with it at `end`; nobody is charged for its parts yet.
    ///
    /// # Errors
    /// [`Unbalanced`]: a defect of the agent.
    pub fn handed_off(
        mut self,
        end: &Snapshot,
        how: HandOff,
        session: Arc<SessionId>,
    ) -> Result<Message, Unbalanced> {
        let end_at = end.at_ns.max(self.reader.at_ns);
        let in_app = if how == HandOff::Unobserved {
            Waiting::unknown(end_at - self.reader.at_ns)
        } else {
            Waiting::between(&self.reader, end)
        };
        in_app.charge(&mut self.matrix, Stage::InApp);
        let utc = |at: u64| at as i64 + self.utc_offset;
        let age = end_at as i64 - self.sent_at;
        Ok(Message {
            session,
            tid: self.reader.tid,
            seq: self.header.seq,
            msg_type: self.header.msg_type,
            bytes: u32::try_from(self.header.end - self.header.start).unwrap_or(u32::MAX),
            poss_dup: self.header.poss_dup,
            sent: self.sent,
            sent_between: self.sent_between,
            arrived_ns: self.arrived_at.map(utc),
            received_ns: utc(self.reader.at_ns),
            handed_off_ns: utc(end_at),
            handed_off_at: end_at,
            held_back_from: self.held_back_from,
            hand_off: how,
            ack_pending_ns: self.ack_pending,
            split: Split::new(age, self.matrix)?,
            charges: Vec::new(),
            aftermath: MessageAftermath::default(),
        })
    }
}
