//! One socket: its stream, its arrivals, its window and what was read from it.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use agent_common::{
    Acknowledged, BytesArrived, BytesReceived, OpenReason, ReaderHistory, Snapshot, SocketOpened,
    receive_flags,
};

use super::{
    address::address,
    arrivals::Arrivals,
    narrowing::{Arrived, Phase},
    pending_acks::Acks,
    pending_batch::Batch,
    pending_message::{Receipt, Received},
    reader_history::Past,
    sockets::Filter,
    window::{Offer, Window},
};
use crate::{
    clock::{TimeSource, UtcClock},
    domain::{ExclusionReason, HandOff, SentBetween, SessionId, TapCounts, Update, WindowClosures},
    events::Slices,
    streams::{
        fix::{Header, Tap},
        header_budget::Headers,
        position::Stream,
    },
};

/// Threads of one socket with something to hand off; more is no sane program.
const MOST_BATCHES: usize = 64;

/// Headers whose message is not read to its end: more than one walk of the probes can find. Only
/// when the end of a receive is lost do those of several come together.
const MOST_AWAITED: usize = 4096;

#[derive(Debug)]
struct Moments {
    arrivals: Arrivals,
    window: Window,
    acks: Acks,
    phase: Phase,
    batches: Vec<(u32, Batch)>,
}

impl Moments {
    /// What is acknowledged of the bytes up to `end`, at `at`.
    fn acked(&mut self, stream: &mut Stream, at: u64, end: u64, told: &Acknowledged) {
        let acked = stream.position(told.end_seq);
        self.acks.told(at, end, acked, told);
    }

    /// More of when the message was sent than its stamp says.
    fn narrow(
        &mut self,
        header: &Header,
        arrived: Option<Snapshot>,
        offset_at: impl Fn(u64) -> i64,
    ) -> Option<SentBetween> {
        let Some(arrived) = arrived else {
            self.phase.unseen();
            return None;
        };
        let since = self.phase.latest_arrival();
        let held_back = since.map_or(0, |at| self.window.held_back(at, &arrived).total()) > 0;
        let arrived = Arrived {
            at: arrived.at_ns,
            utc_offset: offset_at(arrived.at_ns),
            held_back,
        };
        match header.sending_time {
            Some(stamp) if !header.poss_dup => self.phase.fresh(stamp, arrived),
            _ => {
                self.phase.passed(arrived);
                None
            }
        }
    }

    /// What the thread has in hand; `None` when too many threads have something.
    fn batch_of(&mut self, tid: u32) -> Option<&mut Batch> {
        let known = self.batches.iter().position(|b| b.0 == tid);
        if known.is_none() && self.batches.len() >= MOST_BATCHES {
            return None;
        }
        let index = known.unwrap_or_else(|| {
            self.batches.push((tid, Batch::default()));
            self.batches.len() - 1
        });
        self.batches.get_mut(index).map(|b| &mut b.1)
    }
}

/// The end of what arrived, and the window behind it.
fn offer(stream: &mut Stream, rcv_nxt: u32, offered: u32, least: u32) -> (u64, Offer) {
    let end = stream.position(rcv_nxt);
    let edge = end + u64::from(offered);
    let offer = Offer {
        offered,
        least,
        edge,
    };
    (end, offer)
}

/// One watched socket.
pub(super) struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    pid: u32,
    filter: Filter,
    /// Known from the first message on.
    session: Option<Arc<SessionId>>,
    reader: u32,
    /// What the thread of the next receive call did before, when it is a new reader.
    past: Option<Past>,
    stream: Stream,
    tap: Tap,
    tapped: TapCounts,
    /// Headers read, of messages not received to their end.
    awaited: VecDeque<Header>,
    /// The application has read up to here.
    read: u64,
    /// Bytes read before the tap was given any.
    unseen: u64,
    /// Headers that found `awaited` full.
    dropped: u64,
    moments: Moments,
    /// Records lost, as last told.
    lost: u32,
    /// A receive may have been lost since the last one seen.
    recv_lost: bool,
    /// Messages whose `--handoff` calls could not be matched: they end with their batch.
    unmatched: u64,
}

/// Without the tap's bytes.
impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("session", &self.session)
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

impl Socket {
    /// `None` when the filter is not for it.
    pub(super) fn open(opened: &SocketOpened, filter: Filter) -> Option<Self> {
        let local = address(opened.family, opened.local_address, opened.local_port);
        let remote = address(opened.family, opened.remote_address, opened.remote_port);
        if filter
            .port
            .is_some_and(|port| port != local.port() && port != remote.port())
        {
            return None;
        }
        let mut stream = Stream::at(opened.copied_seq);
        let read = stream.position(opened.copied_seq);
        let mut arrivals = Arrivals::default();
        let (end, offer) = offer(
            &mut stream,
            opened.rcv_nxt,
            opened.offered,
            opened.min_usable,
        );
        arrivals.unseen_until(end);
        let mut window = Window::default();
        // A connection seen from its first byte had an open window before.
        let whole_life =
            [OpenReason::Connected as u32, OpenReason::Accepted as u32].contains(&opened.reason);
        if !whole_life {
            window.watched(opened.at_ns, offer);
        }
        let mut moments = Moments {
            arrivals,
            window,
            acks: Acks::default(),
            phase: Phase::default(),
            batches: Vec::new(),
        };
        moments.acked(&mut stream, opened.at_ns, end, &opened.acked);
        Some(Self {
            local,
            remote,
            pid: opened.tgid,
            filter,
            session: None,
            reader: 0,
            past: None,
            stream,
            tap: Tap::new(),
            tapped: TapCounts::default(),
            awaited: VecDeque::new(),
            read,
            unseen: 0,
            dropped: 0,
            moments,
            lost: opened.head.lost,
            recv_lost: false,
            unmatched: 0,
        })
    }

    /// The process it was read by last.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// The calls of the hand-off function are seen from now on.
    pub(super) const fn follow_function(&mut self) {
        self.filter.by_function = true;
    }

    /// The probes' count of lost records about this socket: when it has moved, nothing that spans
    /// the loss is believed.
    pub(super) fn lost_so_far(&mut self, lost: u32) {
        if lost == self.lost {
            return;
        }
        self.lost = lost;
        self.recv_lost = true;
        self.moments.arrivals.lost();
        self.moments.window.lost();
        self.moments.acks.lost();
        for (_, batch) in &mut self.moments.batches {
            batch.lost();
        }
    }

    pub(super) fn arrived(&mut self, arrival: &BytesArrived) {
        self.lost_so_far(arrival.head.lost);
        let stream = &mut self.stream;
        let (end, offer) = offer(stream, arrival.rcv_nxt, arrival.offered, arrival.min_usable);
        self.moments.arrivals.arrived(end, arrival.reader);
        let (at, acked) = (arrival.reader.at_ns, &arrival.acked);
        self.moments.acked(stream, at, end, acked);
        let reading = self.stream.position(arrival.copied_seq) != self.read;
        self.moments
            .window
            .arrived(end, offer, reading, arrival.reader);
    }

    /// Feeds the tap.
    pub(super) fn bytes(
        &mut self,
        recv: &BytesReceived,
        slices: Slices<'_>,
        headers: &mut Headers,
    ) {
        self.lost_so_far(recv.head.lost);
        let torn = self.tap.counts().dropped_messages;
        let Self {
            tap,
            stream,
            awaited,
            read,
            unseen,
            dropped,
            ..
        } = self;
        for (seq, bytes) in slices {
            if tap.expected().is_none() {
                // The tap knows of gaps from its first byte on only.
                *unseen += stream.position(seq).saturating_sub(*read);
            }
            tap.feed(stream.position(seq), bytes, &mut |header| {
                headers.seen(&header);
                if awaited.len() < MOST_AWAITED {
                    awaited.push_back(header);
                } else {
                    *dropped += 1;
                }
            });
        }
        if self.tap.counts().dropped_messages > torn && !self.recv_lost {
            headers.torn();
        }
    }

    /// The next receive call is of a thread that was not the reader.
    pub(super) fn new_reader(&mut self, past: &ReaderHistory) {
        self.lost_so_far(past.head.lost);
        self.past = Some(Past::new(past));
    }

    /// A receive call is through.
    pub(super) fn received<T: TimeSource>(
        &mut self,
        recv: &BytesReceived,
        clock: &UtcClock<T>,
        emit: &mut dyn FnMut(Update),
    ) {
        let reader = recv.reader;
        self.reader = reader.tid;
        self.pid = recv.tgid;
        if recv.flags & receive_flags::CALL_CONTINUES == 0 {
            // The next receive call of the thread ends what its last one returned.
            self.handed_off(&reader, HandOff::Receive, emit);
        }
        let end = self.stream.position(recv.end_seq);
        let start = end.saturating_sub(u64::from(recv.len));
        let stream = &mut self.stream;
        let (queued, offer) = offer(stream, recv.rcv_nxt, recv.offered, recv.min_usable);
        self.moments
            .acked(stream, reader.at_ns, queued, &recv.acked);
        let lost = std::mem::take(&mut self.recv_lost)
            || start != self.read
            || recv.flags & receive_flags::BYTES_MISSING != 0;
        self.read = end;
        let past = self.past.take();

        while self.awaited.front().is_some_and(|h| h.end <= end) {
            let Some(header) = self.awaited.pop_front() else {
                break;
            };
            // Read to its end by a call that was not seen, if its last byte is not of this one.
            let whole = !(lost && header.end <= start);
            let receipt = Receipt {
                reader,
                whole,
                past: past.as_ref(),
            };
            self.message(header, receipt, clock, emit);
        }
        if recv.flags & receive_flags::HAND_OFF_LOST != 0
            && let Some(batch) = self.batch_in_hand(reader.tid)
        {
            batch.wait_unseen();
        }
        if let Some(session) = &self.session {
            for _ in 0..std::mem::take(&mut self.dropped) {
                emit(Update::Excluded(
                    Arc::clone(session),
                    ExclusionReason::ReceiveUnobserved,
                ));
            }
        }
        self.moments.arrivals.read_until(end);
        // Last: the messages were held back by the window as it was before this read.
        self.moments.window.read(offer, reader);
        self.emit_counts(emit);
    }

    fn message<T: TimeSource>(
        &mut self,
        header: Header,
        receipt: Receipt<'_>,
        clock: &UtcClock<T>,
        emit: &mut dyn FnMut(Update),
    ) {
        let session = self.session_of(&header);
        let arrived = self.moments.arrivals.of(header.end);
        let offset_at = |at| clock.offset_at(at);
        let between = self.moments.narrow(&header, arrived, offset_at);
        let moments = (&self.moments.window, &self.moments.acks);
        match Received::new(header, arrived, receipt, moments, offset_at) {
            Ok(received) => {
                if !header.poss_dup {
                    // Sends are in order: nothing older will arrive any more. With a venue ahead of
                    // us what is to come may have been sent before what its stamp says.
                    let since = arrived
                        .map_or(u64::MAX, |a| a.at_ns)
                        .min(received.sent_at());
                    self.moments.window.sent_until(since);
                    self.moments.acks.sent_until(since);
                }
                let received = received.sent_between(between);
                match self.moments.batch_of(receipt.reader.tid) {
                    Some(batch) => batch.add(received),
                    None => emit(Update::Excluded(
                        session,
                        ExclusionReason::ReceiveUnobserved,
                    )),
                }
            }
            Err(why) => {
                if let Some(batch) = self.moments.batch_of(receipt.reader.tid) {
                    batch.skip();
                }
                emit(Update::Excluded(session, why));
            }
        }
    }

    fn session_of(&mut self, header: &Header) -> Arc<SessionId> {
        if let Some(known) = &self.session
            && known.sender == header.sender.as_str()
            && known.target == header.target.as_str()
            && known.pid == self.pid
        {
            return Arc::clone(known);
        }
        let session = Arc::new(SessionId {
            sender: header.sender.as_str().to_owned(),
            target: header.target.as_str().to_owned(),
            local: self.local,
            remote: self.remote,
            pid: self.pid,
        });
        self.session = Some(Arc::clone(&session));
        session
    }

    /// The thread of `end` is through with what it read here.
    pub(super) fn handed_off(
        &mut self,
        end: &Snapshot,
        how: HandOff,
        emit: &mut dyn FnMut(Update),
    ) {
        if end.tid == self.reader {
            self.moments.window.seen(*end);
        }
        self.close_batch(end.tid, end, how, emit);
    }

    fn close_batch(
        &mut self,
        tid: u32,
        end: &Snapshot,
        how: HandOff,
        emit: &mut dyn FnMut(Update),
    ) {
        let Some(session) = &self.session else {
            return;
        };
        let Some((_, batch)) = self.moments.batches.iter_mut().find(|b| b.0 == tid) else {
            return;
        };
        let by_function = self.filter.by_function;
        let unmatched = batch.handed_off(end, how, by_function, session, |message| {
            emit(match message {
                Ok(message) => Update::Message(Box::new(message)),
                Err(_) => Update::Excluded(Arc::clone(session), ExclusionReason::Unbalanced),
            });
        });
        self.unmatched += unmatched;
    }

    /// The function named with `--handoff` was called by `caller`, which read from here last.
    pub(super) fn called(&mut self, caller: &Snapshot) {
        if let Some(batch) = self.batch_in_hand(caller.tid) {
            batch.called(*caller);
        }
    }

    /// Calls of the thread were lost.
    pub(super) fn calls_lost(&mut self, tid: u32) {
        if let Some(batch) = self.batch_in_hand(tid) {
            batch.lost();
        }
    }

    /// What the thread has received here and not handed off.
    pub(super) fn batch_in_hand(&mut self, tid: u32) -> Option<&mut Batch> {
        let mut batches = self.moments.batches.iter_mut();
        batches.find(|b| b.0 == tid).map(|b| &mut b.1)
    }

    /// The thread has ended with messages in hand.
    pub(super) fn thread_ended(&mut self, tid: u32, at: u64, emit: &mut dyn FnMut(Update)) {
        let end = Snapshot {
            at_ns: at,
            ..Snapshot::default()
        };
        self.close_batch(tid, &end, HandOff::Unobserved, emit);
        self.moments.batches.retain(|b| b.0 != tid);
    }

    /// The socket is gone.
    pub(super) fn closed(&mut self, at: u64, emit: &mut dyn FnMut(Update)) {
        let threads: Vec<u32> = self.moments.batches.iter().map(|b| b.0).collect();
        for tid in threads {
            self.thread_ended(tid, at, emit);
        }
        self.emit_counts(emit);
        if let Some(session) = self.session.take() {
            emit(Update::Window(
                Arc::clone(&session),
                self.moments.window.facts(),
            ));
            emit(Update::SessionEnded(session));
        }
    }

    fn emit_counts(&mut self, emit: &mut dyn FnMut(Update)) {
        let Some(session) = &self.session else {
            return;
        };
        let counts = self.tap.counts();
        let now = TapCounts {
            garbled: counts.garbled,
            skipped_bytes: counts.skipped_bytes,
            lost_bytes: counts.lost_bytes + self.unseen,
            // One that was cut off is seen by what comes after it.
            incomplete_headers: counts.incomplete_headers + counts.dropped_messages,
        };
        let delta = TapCounts {
            garbled: now.garbled - self.tapped.garbled,
            skipped_bytes: now.skipped_bytes - self.tapped.skipped_bytes,
            lost_bytes: now.lost_bytes - self.tapped.lost_bytes,
            incomplete_headers: now.incomplete_headers - self.tapped.incomplete_headers,
        };
        if !delta.is_empty() {
            self.tapped = now;
            emit(Update::Tap(Arc::clone(session), delta));
        }
    }

    pub(super) fn seen(&mut self, reader: Snapshot) {
        if reader.tid == self.reader {
            self.moments.window.seen(reader);
        }
    }

    /// Messages whose `--handoff` calls could not be matched, so far.
    pub(super) const fn unmatched(&self) -> u64 {
        self.unmatched
    }

    pub(super) fn starving_reader(&self) -> Option<u32> {
        (self.reader != 0 && self.moments.window.is_closed()).then_some(self.reader)
    }

    pub(super) fn reader(&self) -> Option<(&Arc<SessionId>, u32)> {
        (self.reader != 0).then_some((self.session.as_ref()?, self.reader))
    }

    pub(super) fn window(&self) -> Option<(&Arc<SessionId>, WindowClosures)> {
        Some((self.session.as_ref()?, self.moments.window.facts()))
    }
}
