//! One socket: from its stream, its arrivals and its window to the messages that were read from it.

mod address;
mod identity;
mod moments;
mod pending_batches;
mod tapped_headers;
mod waiting;

use std::sync::Arc;

use agent_common::{
    BytesArrived, BytesReceived, ReaderHistory, Snapshot, SocketOpened, receive_flags,
};

use self::{
    identity::Identity, moments::Moments, pending_batches::PendingBatches,
    tapped_headers::TappedHeaders, waiting::SampleContext,
};
use super::{
    pending_batch::PendingBatch,
    pending_message::{ArrivalMoment, PendingMessage, ReceiveCall},
    reader_history::StateHistory,
    socket_filter::SocketFilter,
};
use crate::{
    clock::{TimeSource, UtcClock},
    domain::{ExclusionReason, HandOff, SessionId, Update, WindowClosures},
    events::Slices,
    streams::{HeaderBudget, fix::Header},
};

/// One socket of a process that is followed.
#[derive(Debug)]
pub(super) struct Socket {
    identity: Identity,
    /// The hand-off function is attached in the process.
    hand_off_function: bool,
    /// The thread that received last; 0 before the first receive call.
    reader: u32,
    /// What the thread of the next receive call did before, when it was not the reader.
    reader_history: Option<StateHistory>,
    /// The reader's counters when the socket was first observed, as far as they are known.
    reader_at_open: Option<Snapshot>,
    headers: TappedHeaders,
    moments: Moments,
    batches: PendingBatches,
    samples: SampleContext,
    /// The probes' count of lost records about this socket, as of the last record.
    lost_records: u32,
    /// A receive call may have been lost since the last one.
    receive_lost: bool,
}

impl Socket {
    /// Takes in a new socket; `None` when the filter excludes it.
    pub(super) fn open(opened: &SocketOpened, filter: SocketFilter) -> Option<Self> {
        let identity = Identity::new(opened);
        if filter.port.is_some_and(|port| !identity.has_port(port)) {
            return None;
        }
        Some(Self {
            identity,
            hand_off_function: filter.hand_off_function,
            reader: 0,
            reader_history: None,
            reader_at_open: None,
            headers: TappedHeaders::new(),
            moments: Moments::new(opened),
            batches: PendingBatches::default(),
            samples: SampleContext::new(opened.sk),
            lost_records: opened.head.lost,
            receive_lost: false,
        })
    }

    /// The process that read it last.
    pub(super) const fn pid(&self) -> u32 {
        self.identity.pid()
    }

    /// The calls of the hand-off function are observed from now on.
    pub(super) const fn hand_off_function_attached(&mut self) {
        self.hand_off_function = true;
    }

    /// Compares the probes' count of lost records about this socket: when it has grown, nothing
    /// that spans the loss is relied on.
    pub(super) fn note_losses(&mut self, lost_records: u32) {
        if lost_records == self.lost_records {
            return;
        }
        self.lost_records = lost_records;
        self.receive_lost = true;
        self.moments.events_lost();
        self.batches.events_lost();
    }

    /// Bytes became readable.
    pub(super) fn bytes_arrived(&mut self, arrival: &BytesArrived) {
        self.note_losses(arrival.head.lost);
        self.moments.bytes_arrived(arrival);
    }

    /// Feeds the tap with the slices of a receive call.
    pub(super) fn feed_tap(
        &mut self,
        recv: &BytesReceived,
        slices: Slices<'_>,
        budget: &mut HeaderBudget,
    ) {
        self.note_losses(recv.head.lost);
        let Moments {
            positions,
            received_until,
            ..
        } = &mut self.moments;
        let incomplete = self
            .headers
            .feed(slices, positions, *received_until, budget);
        if incomplete && !self.receive_lost {
            budget.header_truncated();
        }
    }

    /// The next receive call is by a thread that was not the reader.
    pub(super) fn reader_changed(&mut self, history: &ReaderHistory) {
        self.note_losses(history.head.lost);
        self.reader_history = Some(StateHistory::new(history));
    }

    /// A receive call is complete.
    pub(super) fn received<T: TimeSource>(
        &mut self,
        recv: &BytesReceived,
        clock: &UtcClock<T>,
        emit: &mut dyn FnMut(Update),
    ) {
        self.headers.call_ended();
        let reader = recv.reader;
        self.reader = reader.tid;
        self.identity.set_pid(recv.tgid);
        if recv.flags & receive_flags::CALL_CONTINUES == 0 {
            // The thread's next receive call ends what its last one returned.
            self.handed_off(&reader, HandOff::Receive, emit);
        }
        let (end, offer) = self.moments.received(recv);
        let start = end.saturating_sub(u64::from(recv.len));
        let lost = std::mem::take(&mut self.receive_lost)
            || start != self.moments.received_until
            || recv.flags & receive_flags::BYTES_MISSING != 0;
        self.moments.received_until = end;
        let history = self.reader_history.take();
        if let Some(history) = &history {
            self.reader_at_open = Some(history.counters_at(self.moments.opened_at_ns, &reader));
        }

        while let Some(header) = self.headers.pop_until(end) {
            // After a loss, a message whose last byte is not of this call was received by one that
            // was not observed.
            let call = ReceiveCall {
                reader,
                is_observed: !(lost && header.end <= start),
                history: history.as_ref(),
            };
            self.message_received(header, call, clock, emit);
        }
        if recv.flags & receive_flags::HAND_OFF_LOST != 0
            && let Some(batch) = self.pending_batch(reader.tid)
        {
            batch.wait_unobserved();
        }
        if let Some(session) = self.identity.session() {
            for _ in 0..self.headers.take_dropped() {
                emit(Update::Excluded(
                    Arc::clone(session),
                    ExclusionReason::ReceiveUnobserved,
                ));
            }
        }
        self.moments.arrivals.release_until(end);
        // Last: the messages were held back by the window as it was before this call.
        self.moments.window.received(offer, reader);
        self.emit_counts(emit);
    }

    fn message_received<T: TimeSource>(
        &mut self,
        header: Header,
        call: ReceiveCall<'_>,
        clock: &UtcClock<T>,
        emit: &mut dyn FnMut(Update),
    ) {
        let session = self.identity.session_of(&header);
        self.samples.message(header.end - header.start);
        let moments = &mut self.moments;
        let arrived = moments.arrivals.of(header.end);
        let utc_offset_at = |at_ns| clock.offset_at(at_ns);
        let between = moments.narrow(&header, arrived, utc_offset_at);
        let present = self
            .reader_at_open
            .filter(|_| arrived.is_none() && moments.arrivals.was_present(header.end));
        let arrival = match (arrived, present) {
            (Some(arrived), _) => ArrivalMoment::At(arrived),
            (None, Some(opened)) => ArrivalMoment::Before(opened),
            (None, None) => ArrivalMoment::Unobserved,
        };
        let stretches = (&moments.window, &moments.acks);
        match PendingMessage::new(header, arrival, call, stretches, utc_offset_at) {
            Ok(message) => {
                if !header.poss_dup {
                    // Sends are in order: nothing older will arrive any more. Where the venue's
                    // clock is ahead, what is to come may have been sent before its stamp.
                    let since_ns = arrived
                        .map_or(u64::MAX, |a| a.at_ns)
                        .min(message.sent_at_ns());
                    moments.window.release_until(since_ns);
                    moments.acks.release_until(since_ns);
                }
                let message = message.sent_between(between);
                match self.batches.get_or_insert(call.reader.tid) {
                    Some(batch) => batch.add(message),
                    None => emit(Update::Excluded(
                        session,
                        ExclusionReason::ReceiveUnobserved,
                    )),
                }
            }
            Err(why) => {
                if let Some(batch) = self.batches.get_or_insert(call.reader.tid) {
                    batch.skip_message(call.reader);
                }
                emit(Update::Excluded(session, why));
            }
        }
    }

    /// The thread of `end` is through with what it received here.
    pub(super) fn handed_off(
        &mut self,
        end: &Snapshot,
        how: HandOff,
        emit: &mut dyn FnMut(Update),
    ) {
        self.reader_sampled(*end);
        self.close_batch(end, how, emit);
    }

    fn close_batch(&mut self, end: &Snapshot, how: HandOff, emit: &mut dyn FnMut(Update)) {
        if let Some(session) = self.identity.session() {
            let handed_off = self
                .batches
                .hand_off(end, how, self.hand_off_function, session, emit);
            if handed_off && !matches!(how, HandOff::Never | HandOff::Unobserved) {
                self.samples.last_hand_off_ns = Some(end.at_ns);
            }
        }
    }

    /// The function named with `--handoff` was called by `caller`, which received here last.
    pub(super) fn function_called(&mut self, caller: &Snapshot) {
        let Some(batch) = self.pending_batch(caller.tid) else {
            return;
        };
        batch.function_called(*caller);
        // Its message is emitted with its batch, which may take a while yet.
        if !batch.is_empty() {
            self.samples.last_hand_off_ns = Some(caller.at_ns);
        }
    }

    /// Records of the thread's calls of the hand-off function were lost.
    pub(super) fn calls_lost(&mut self, tid: u32) {
        if let Some(batch) = self.pending_batch(tid) {
            batch.events_lost();
        }
    }

    /// What the thread has received here and not handed off.
    pub(super) fn pending_batch(&mut self, tid: u32) -> Option<&mut PendingBatch> {
        self.batches.get_mut(tid)
    }

    /// The thread has ended, with these counters: its pending messages are never handed off.
    pub(super) fn thread_ended(&mut self, tid: u32, last: &Snapshot, emit: &mut dyn FnMut(Update)) {
        self.end_batch(tid, last, HandOff::Never, emit);
    }

    /// The socket was closed at the instant of `reader`, the counters of who read it last: what was
    /// received and not handed off never is.
    pub(super) fn closed(&mut self, reader: &Snapshot, emit: &mut dyn FnMut(Update)) {
        self.end(reader, HandOff::Never, emit);
    }

    /// The socket was closed, and that was not observed, at `at_ns` at the latest.
    pub(super) fn close_unobserved(&mut self, at_ns: u64, emit: &mut dyn FnMut(Update)) {
        let unknown_reader = Snapshot {
            at_ns,
            ..Snapshot::default()
        };
        self.end(&unknown_reader, HandOff::Unobserved, emit);
    }

    /// The run ends: what is in hand is not handed off by then. What the reader did is known up to
    /// the last sample.
    pub(super) fn run_ended(&mut self, at_ns: u64, emit: &mut dyn FnMut(Update)) {
        match self.samples.latest {
            Some(reader) => self.end(&reader, HandOff::Never, emit),
            None => self.close_unobserved(at_ns, emit),
        }
    }

    fn end(&mut self, last: &Snapshot, how: HandOff, emit: &mut dyn FnMut(Update)) {
        for tid in self.batches.threads() {
            self.end_batch(tid, last, how, emit);
        }
        self.emit_counts(emit);
        if let Some(session) = self.identity.take_session() {
            let facts = self.moments.window.facts();
            emit(Update::Window(Arc::clone(&session), facts));
            emit(Update::SessionEnded(session));
        }
    }

    /// Ends the batch of a thread at the instant of `last`, the last counters of some thread.
    fn end_batch(&mut self, tid: u32, last: &Snapshot, how: HandOff, emit: &mut dyn FnMut(Update)) {
        let (end, how) = if last.tid == tid {
            (*last, how)
        } else {
            // Of another thread it is not known what it did.
            let unknown = Snapshot {
                at_ns: last.at_ns,
                tid,
                ..Snapshot::default()
            };
            (unknown, HandOff::Unobserved)
        };
        self.close_batch(&end, how, emit);
        self.batches.remove(tid);
    }

    fn emit_counts(&mut self, emit: &mut dyn FnMut(Update)) {
        if let Some(session) = self.identity.session()
            && let Some(delta) = self.headers.take_counts()
        {
            emit(Update::Tap(Arc::clone(session), delta));
        }
    }

    /// The counters of a thread were sampled.
    pub(super) fn reader_sampled(&mut self, reader: Snapshot) {
        if reader.tid == self.reader {
            self.moments.window.reader_sampled(reader);
        }
    }

    /// Messages so far whose calls of the hand-off function could not be matched.
    pub(super) const fn unmatched_hand_offs(&self) -> u64 {
        self.batches.unmatched_hand_offs()
    }

    /// The reader, when the window is closed.
    pub(super) fn closed_window_reader(&self) -> Option<u32> {
        (self.reader != 0 && self.moments.window.is_closed()).then_some(self.reader)
    }

    /// The session and the thread that received last.
    pub(super) fn reader(&self) -> Option<(&Arc<SessionId>, u32)> {
        (self.reader != 0).then_some((self.identity.session()?, self.reader))
    }

    /// The address by which the probes sample it; `None` before its first message.
    pub(super) fn sample_address(&self) -> Option<u64> {
        self.identity.session().map(|_| self.samples.sk)
    }

    /// The session, and how often and for how long its window was closed.
    pub(super) fn window_facts(&self) -> Option<(&Arc<SessionId>, WindowClosures)> {
        Some((self.identity.session()?, self.moments.window.facts()))
    }
}
