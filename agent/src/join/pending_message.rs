//! One message that was received and is not handed off: from its moments, and what the reader did
//! between them, to a matrix that sums to its age exactly.

use std::sync::Arc;

use agent_common::Snapshot;

use super::{
    pending_acks::PendingAcks, reader_history::StateHistory, state_times::StateTimes,
    window::ReceiveWindow,
};
use crate::{
    domain::{
        ExclusionReason, HandOff, Matrix, Message, MessageAftermath, Part, SentBetween, SentTime,
        SessionId, Split, Stage, Unbalanced,
    },
    streams::fix::Header,
};

/// The receive call that handed over the end of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveCall<'a> {
    /// The receiving thread's counters at the return of the call.
    pub(super) reader: Snapshot,
    /// False when the call that handed the message over was not observed and this is a later one:
    /// then the message's time in the queue is unknown too.
    pub(super) is_observed: bool,
    /// What the thread did before, when it was not the socket's reader until now.
    pub(super) history: Option<&'a StateHistory>,
}

impl ReceiveCall<'_> {
    /// What the thread did while the message was in the queue, from `arrived` on.
    fn queued(&self, arrived: &Snapshot) -> StateTimes {
        let Self {
            reader,
            is_observed,
            history,
        } = self;
        match history {
            _ if !is_observed => StateTimes::unknown(reader.at_ns - arrived.at_ns),
            Some(history) if !reader.continues(arrived) => history.between(arrived.at_ns, reader),
            _ => StateTimes::between(arrived, reader),
        }
    }
}

/// When the last byte of a message became readable.
#[derive(Clone, Copy, Debug)]
pub(super) enum ArrivalMoment {
    /// At the instant of the reader's counters.
    At(Snapshot),
    /// Before the socket was first observed, at the instant of the reader's counters: the message
    /// was in the queue then.
    Before(Snapshot),
    /// That was not observed.
    Unobserved,
}

/// A message that was received and is not handed off yet. Instants without a unit of their own are
/// on the monotonic clock, ns.
#[derive(Clone, Debug)]
pub(super) struct PendingMessage {
    header: Header,
    sent: SentTime,
    sent_between: Option<SentBetween>,
    /// `sent` on the monotonic clock, ns.
    sent_at_ns: i64,
    /// UTC minus monotonic time when it arrived, ns.
    utc_offset_ns: i64,
    arrived_at_ns: Option<u64>,
    /// The reader's counters when it was received.
    reader: Snapshot,
    /// The stages that are over.
    before_app: StagesBeforeApp,
}

/// The stages before the message was received.
#[derive(Clone, Debug, Default)]
struct StagesBeforeApp {
    matrix: Matrix,
    /// See [`Message::held_back_from`].
    held_back_from: u64,
    /// See [`Message::ack_pending_ns`].
    ack_pending_ns: u64,
}

/// The instant from which a message's age counts: tag 52, of a resend tag 122.
fn sent_time(header: &Header) -> Result<SentTime, ExclusionReason> {
    if header.poss_dup {
        header
            .orig_sending_time
            .ok_or(ExclusionReason::ResendWithoutOrigTime)
    } else {
        header.sending_time.ok_or(ExclusionReason::NoSendingTime)
    }
}

impl PendingMessage {
    /// The message of `header` was received by `call`. `arrival` is when its last byte became
    /// readable; `utc_offset_at` gives UTC minus monotonic time.
    ///
    /// # Errors
    /// Why the message has no age.
    pub(super) fn new(
        header: Header,
        arrival: ArrivalMoment,
        call: ReceiveCall<'_>,
        (window, acks): (&ReceiveWindow, &PendingAcks),
        utc_offset_at: impl Fn(u64) -> i64,
    ) -> Result<Self, ExclusionReason> {
        let reader = call.reader;
        let sent = sent_time(&header)?;
        // Stamps of two CPUs may disagree by a little; the copy was after the arrival.
        let settled = |at: Snapshot| if at.at_ns > reader.at_ns { reader } else { at };
        let arrived = match arrival {
            ArrivalMoment::At(arrived) => Some(settled(arrived)),
            ArrivalMoment::Before(_) | ArrivalMoment::Unobserved => None,
        };
        let utc_offset_ns = utc_offset_at(arrived.map_or(reader.at_ns, |a| a.at_ns));
        let sent_at_ns = sent.utc_ns.saturating_sub(utc_offset_ns);
        let before_app = match arrival {
            ArrivalMoment::At(arrived) => {
                let arrived = settled(arrived);
                // It was sent no later than the next stamp of its precision would say.
                let latest_sent_at_ns = (!header.poss_dup)
                    .then(|| sent_at_ns.saturating_add(sent.resolution_ns - 1).max(0) as u64);
                let mut stages = StagesBeforeApp::until_arrival(
                    (sent_at_ns, latest_sent_at_ns),
                    &arrived,
                    (window, acks),
                );
                let queued = call.queued(&arrived);
                queued.add_to_matrix(&mut stages.matrix, Stage::Queued);
                stages
            }
            ArrivalMoment::Before(opened) => {
                // Of the time before only the length is known.
                let opened = settled(opened);
                let mut stages = StagesBeforeApp::arrival_unobserved(sent_at_ns, &opened);
                let queued = call.queued(&opened);
                queued.add_to_matrix(&mut stages.matrix, Stage::Queued);
                stages
            }
            ArrivalMoment::Unobserved => StagesBeforeApp::arrival_unobserved(sent_at_ns, &reader),
        };
        Ok(Self {
            header,
            sent,
            sent_between: None,
            sent_at_ns,
            utc_offset_ns,
            arrived_at_ns: arrived.map(|a| a.at_ns),
            reader,
            before_app,
        })
    }

    /// When it was sent, on the monotonic clock, ns; 0 when that was before the machine started.
    pub(super) fn sent_at_ns(&self) -> u64 {
        self.sent_at_ns.max(0) as u64
    }

    /// Sets the bounds of the sending instant that are narrower than the stamp.
    pub(super) fn sent_between(mut self, between: Option<SentBetween>) -> Self {
        self.sent_between = between;
        self
    }

    /// MsgSeqNum (34).
    pub(super) fn seq(&self) -> u64 {
        self.header.seq
    }

    /// Whether it may be what an engine has waited for while it retained later messages: a resend
    /// or a SequenceReset.
    pub(super) fn may_fill_a_gap(&self) -> bool {
        self.header.poss_dup || self.header.msg_type.as_str() == "4"
    }

    /// The reader's counters when it was received.
    pub(super) const fn reader(&self) -> &Snapshot {
        &self.reader
    }

    /// When it was received, on the monotonic clock, ns.
    pub(super) const fn received_at(&self) -> u64 {
        self.reader.at_ns
    }

    /// Whether the session layer handles it (by MsgType), so that the application never sees it.
    pub(super) fn is_admin(&self) -> bool {
        self.header.msg_type.is_admin()
    }

    /// Whether its age is that of a fresh message, not of a resend.
    pub(super) const fn is_fresh(&self) -> bool {
        !self.header.poss_dup
    }

    /// Its length from BeginString to CheckSum, bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.header.end - self.header.start
    }

    /// The age so far, with what the reader has done up to `now`.
    ///
    /// # Errors
    /// [`Unbalanced`]: a defect of the agent.
    pub(super) fn split_until(&self, now: &Snapshot) -> Result<Split, Unbalanced> {
        let received_at_ns = self.reader.at_ns;
        let end_ns = now.at_ns.max(received_at_ns);
        let in_app = if end_ns > now.at_ns {
            // It was received just now.
            StateTimes::default()
        } else {
            StateTimes::between(&self.reader, now)
        };
        self.split(end_ns, &in_app)
    }

    /// The split of its age at `end_ns`, with what the reader did since it was received.
    fn split(&self, end_ns: u64, in_app: &StateTimes) -> Result<Split, Unbalanced> {
        let mut matrix = self.before_app.matrix;
        in_app.add_to_matrix(&mut matrix, Stage::InApp);
        Split::new(end_ns as i64 - self.sent_at_ns, matrix)
    }

    /// The thread was through with it at `end`; its parts are not charged to culprits yet.
    ///
    /// # Errors
    /// [`Unbalanced`]: a defect of the agent.
    pub(super) fn handed_off(
        self,
        end: &Snapshot,
        how: HandOff,
        session: Arc<SessionId>,
    ) -> Result<Message, Unbalanced> {
        let received_at_ns = self.reader.at_ns;
        let end_ns = end.at_ns.max(received_at_ns);
        let in_app = if how == HandOff::Unobserved {
            StateTimes::unknown(end_ns - received_at_ns)
        } else {
            StateTimes::between(&self.reader, end)
        };
        let split = self.split(end_ns, &in_app)?;
        let utc = |at_ns: u64| at_ns as i64 + self.utc_offset_ns;
        Ok(Message {
            session,
            tid: self.reader.tid,
            seq: self.header.seq,
            msg_type: self.header.msg_type,
            bytes: u32::try_from(self.bytes()).unwrap_or(u32::MAX),
            poss_dup: self.header.poss_dup,
            sent: self.sent,
            sent_between: self.sent_between,
            arrived_ns: self.arrived_at_ns.map(utc),
            received_ns: utc(received_at_ns),
            handed_off_ns: utc(end_ns),
            handed_off_at: end_ns,
            held_back_from: self.before_app.held_back_from,
            hand_off: how,
            ack_pending_ns: self.before_app.ack_pending_ns,
            split,
            charges: Vec::new(),
            aftermath: MessageAftermath::default(),
        })
    }
}

impl StagesBeforeApp {
    /// In flight and held back, from `sent_at_ns` to `arrived`. `latest_sent_at_ns` is the latest
    /// instant that the stamp allows; `None` for resends, for which no acknowledgement is counted.
    fn until_arrival(
        (sent_at_ns, latest_sent_at_ns): (i64, Option<u64>),
        arrived: &Snapshot,
        (window, acks): (&ReceiveWindow, &PendingAcks),
    ) -> Self {
        let mut stages = Self {
            held_back_from: arrived.at_ns,
            ..Self::default()
        };
        let mut in_flight = arrived.at_ns as i64 - sent_at_ns;
        if in_flight > 0 {
            // Before the window was observed, network and held back cannot be distinguished.
            let observed_since = window.observed_since_ns().min(arrived.at_ns) as i64;
            let unknown = (observed_since - sent_at_ns).max(0);
            stages.matrix.add(Stage::InFlight, Part::Unknown, unknown);
            let held_back = window.held_back(sent_at_ns.max(0) as u64, arrived);
            held_back.add_to_matrix(&mut stages.matrix, Stage::HeldBack);
            stages.held_back_from = window.first_closed_ns(sent_at_ns.max(0) as u64, arrived.at_ns);
            in_flight -= unknown + held_back.total() as i64;
            if let Some(latest) = latest_sent_at_ns {
                // What was held back may overlap with the pending acknowledgement: only the rest
                // is certain to be of the time in flight.
                let pending = acks.pending_ns(latest, arrived.at_ns);
                let of_flight = pending.saturating_sub(held_back.total());
                stages.ack_pending_ns = of_flight.min(in_flight.max(0) as u64);
            }
        }
        stages.matrix.add(Stage::InFlight, Part::Network, in_flight);
        stages
    }

    /// All of the time from `sent_at_ns` until the message was received, when its arrival was not
    /// observed.
    fn arrival_unobserved(sent_at_ns: i64, reader: &Snapshot) -> Self {
        let mut stages = Self {
            held_back_from: reader.at_ns,
            ..Self::default()
        };
        let ns = reader.at_ns as i64 - sent_at_ns;
        let part = if ns < 0 {
            // The venue's clock is ahead even of the receive call: skew, whatever lay between.
            Part::Network
        } else {
            Part::Unknown
        };
        stages.matrix.add(Stage::InFlight, part, ns);
        stages
    }
}
