//! Whole sessions from made-up events: what comes out is exact, and unknown where something was
//! lost. The same is seen on a live kernel in `xtask/live/tests/live.rs`.

use agent_common::{
    Acknowledged, BytesArrived, BytesReceived, CloseReason, FunctionCalled, HandedOff,
    MAX_SLICE_BYTES, OpenReason, ReaderHistory, RecordHead, STATE_COUNT, Snapshot, SocketClosed,
    SocketOpened, StateChange, ThreadExited, ThreadState, receive_flags,
};
use proptest::prelude::*;

use super::sockets::{Filter, Sessions};
use crate::domain::Update;
use crate::{
    clock::{TimeSource, UtcClock},
    domain::{ExclusionReason, HandOff as How, Message, Part, Stage},
    events::{Event, Slices},
};

/// A clock on which UTC is monotonic time plus an hour.
struct Fixed;

const UTC: i64 = 3_600_000_000_000;

impl TimeSource for Fixed {
    fn monotonic(&mut self) -> u64 {
        0
    }

    fn realtime(&mut self) -> i64 {
        UTC
    }
}

const SOCKET: u64 = 9;
const OTHER_SOCKET: u64 = 10;
const TID: u32 = 70;
const FIRST: u32 = u32::MAX - 1_000;

/// A session under way: time passes in thread states, bytes come and are read.
struct Script {
    sessions: Sessions,
    clock: UtcClock<Fixed>,
    at: u64,
    /// The thread that reads.
    tid: u32,
    ns: [u64; STATE_COUNT],
    lost: u32,
    socket: u64,
    stream: Vec<u8>,
    arrived: usize,
    read: usize,
    /// Bytes acknowledged, segments sent, and when the last was.
    acked: (usize, u32, u64),
    /// The same four of another socket.
    other: (u64, Vec<u8>, usize, usize),
    messages: Vec<Message>,
    excluded: Vec<ExclusionReason>,
    incomplete: u64,
    ended: usize,
}

impl Script {
    fn new() -> Self {
        Self::with(Filter::default())
    }

    /// With a hand-off function.
    fn by_function() -> Self {
        Self::with(Filter {
            by_function: true,
            ..Filter::default()
        })
    }

    fn with(filter: Filter) -> Self {
        let mut script = Self {
            sessions: Sessions::new(filter),
            clock: UtcClock::new(Fixed),
            at: 1_000_000_000,
            tid: TID,
            ns: [0; STATE_COUNT],
            lost: 0,
            socket: SOCKET,
            stream: Vec::new(),
            arrived: 0,
            read: 0,
            acked: (0, 0, 0),
            other: (OTHER_SOCKET, Vec::new(), 0, 0),
            messages: Vec::new(),
            excluded: Vec::new(),
            incomplete: 0,
            ended: 0,
        };
        script.open();
        script
    }

    fn open(&mut self) {
        self.give(Event::SocketOpened(SocketOpened {
            head: self.head(),
            at_ns: self.at,
            family: 2,
            local_address: [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            acked: self.told(),
            rcv_nxt: FIRST,
            copied_seq: FIRST,
            tgid: 60,
            reason: OpenReason::Connected as u32,
            offered: 65_536,
            min_usable: 1_000,
            ..SocketOpened::default()
        }));
    }

    /// What follows is about the other socket.
    fn turn(&mut self) {
        std::mem::swap(&mut self.socket, &mut self.other.0);
        std::mem::swap(&mut self.stream, &mut self.other.1);
        std::mem::swap(&mut self.arrived, &mut self.other.2);
        std::mem::swap(&mut self.read, &mut self.other.3);
    }

    fn head(&self) -> RecordHead {
        RecordHead {
            kind: 0,
            lost: self.lost,
            socket_id: self.socket,
        }
    }

    fn give(&mut self, event: Event<'_>) {
        let (messages, excluded, ended) = (&mut self.messages, &mut self.excluded, &mut self.ended);
        let incomplete = &mut self.incomplete;
        self.sessions
            .handle(event, &self.clock, &mut |update| match update {
                Update::Message(message) => messages.push(*message),
                Update::Excluded(_, why) => excluded.push(why),
                Update::SessionEnded(_) => *ended += 1,
                Update::Tap(_, delta) => *incomplete += delta.incomplete_headers,
                _ => {}
            });
    }

    /// The ingest thread is in `state` for `ns`.
    fn pass(&mut self, state: ThreadState, ns: u64) {
        self.at += ns;
        self.ns[state as usize] += ns;
    }

    fn now(&self) -> Snapshot {
        Snapshot {
            at_ns: self.at,
            state_ns: self.ns,
            tid: self.tid,
            reserved: 0,
        }
    }

    fn told(&self) -> Acknowledged {
        let (end, segments, sent_at) = self.acked;
        Acknowledged {
            sent_at_ns: sent_at,
            end_seq: FIRST.wrapping_add(end as u32),
            segments,
        }
    }

    /// The kernel acknowledges what has arrived.
    fn acknowledge(&mut self) {
        self.acked = (self.arrived, self.acked.1 + 1, self.at);
    }

    /// The venue writes a message now; `extra` comes before the body.
    fn send(&mut self, seq: u64, extra: &str) {
        self.send_written("8", seq, extra, true);
    }

    /// The same, with a stamp in whole seconds.
    fn send_whole_second(&mut self, seq: u64) {
        self.send_written("8", seq, "", false);
    }

    /// The same of another type.
    fn send_as(&mut self, msg_type: &str, seq: u64, extra: &str) {
        self.send_written(msg_type, seq, extra, true);
    }

    fn send_written(&mut self, msg_type: &str, seq: u64, extra: &str, exact: bool) {
        let utc = self.at as i64 + UTC;
        let (seconds, ns) = (utc / 1_000_000_000, utc % 1_000_000_000);
        let mut time = format!(
            "19700101-{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        if exact {
            time.push_str(&format!(".{ns:09}"));
        }
        let body = format!(
            "35={msg_type}\x0149=VENUE\x0156=DROP\x0134={seq}\x0152={time}\x01{extra}55=ABC\x0158={}\x01",
            "x".repeat(200)
        );
        let text = format!("8=FIX.4.4\x019={}\x01{body}10=000\x01", body.len());
        self.stream.extend(text.bytes());
    }

    /// The next `n` bytes (or what there is) become readable.
    fn arrive(&mut self, n: usize) {
        self.arrive_offering(n, 60_000);
    }

    /// The same, with a receive window of `offered` bytes left.
    fn arrive_offering(&mut self, n: usize, offered: u32) {
        self.arrived = (self.arrived + n).min(self.stream.len());
        let event = Event::BytesArrived(BytesArrived {
            head: self.head(),
            reader: self.now(),
            acked: self.told(),
            rcv_nxt: FIRST.wrapping_add(self.arrived as u32),
            offered,
            min_usable: 1_000,
            copied_seq: FIRST.wrapping_add(self.read as u32),
        });
        self.give(event);
    }

    /// The thread reads up to `n` bytes.
    fn read(&mut self, n: usize) {
        self.read_flagged(n, 0);
    }

    fn read_flagged(&mut self, n: usize, flags: u32) {
        self.read_cut(n, flags, usize::MAX);
    }

    /// The same, of which at most `most` bytes are handed over.
    fn read_cut(&mut self, n: usize, flags: u32, most: usize) {
        let to = (self.read + n).min(self.arrived);
        let len = to - self.read;
        if len == 0 {
            return;
        }
        let bytes = self.stream[self.read..to.min(self.read.saturating_add(most))].to_vec();
        let start = FIRST.wrapping_add(self.read as u32);
        self.read = to;
        let recv = BytesReceived {
            head: self.head(),
            reader: self.now(),
            acked: self.told(),
            tgid: 60,
            fd: 3,
            end_seq: FIRST.wrapping_add(to as u32),
            len: len as u32,
            rcv_nxt: FIRST.wrapping_add(self.arrived as u32),
            offered: 60_000,
            min_usable: 1_000,
            flags,
            slice_bytes: 0,
            syscall: 45,
        };
        let mut record = vec![0; size_of::<BytesReceived>()];
        if flags & receive_flags::BYTES_MISSING == 0 {
            record.extend(start.to_le_bytes());
            record.extend((bytes.len() as u32).to_le_bytes());
            record.extend(&bytes);
            record.resize(record.len().next_multiple_of(4), 0);
        }
        let recv = BytesReceived {
            slice_bytes: (record.len() - size_of::<BytesReceived>()) as u32,
            ..recv
        };
        let slices = Slices::behind(&record, &recv);
        self.give(Event::BytesReceived(recv, slices));
    }

    fn hand_off(&mut self) {
        let event = Event::HandedOff(HandedOff {
            head: self.head(),
            reader: self.now(),
            how: 1,
            reserved: 0,
        });
        self.give(event);
    }

    /// The function returns, 100 ns later.
    fn call(&mut self) {
        self.pass(ThreadState::OnCpu, 100);
        self.give(Event::FunctionCalled(FunctionCalled {
            head: RecordHead {
                kind: 0,
                lost: 0,
                socket_id: 0,
            },
            caller: self.now(),
        }));
    }

    /// One read of messages of these types and numbers (`8 17`, with `dup` behind it a resend),
    /// then so many calls, then the hand-off.
    fn read_and_call(&mut self, messages: &[&str], calls: usize) {
        self.receive(messages);
        for _ in 0..calls {
            self.call();
        }
        self.pass(ThreadState::OnCpu, 1_000);
        self.hand_off();
    }

    fn receive(&mut self, messages: &[&str]) {
        for message in messages {
            let mut words = message.split(' ');
            let msg_type = words.next().expect("a type");
            let seq = words.next().and_then(|n| n.parse().ok()).expect("a number");
            let extra = match words.next() {
                Some("dup") => "43=Y\x01122=19700101-01:00:00.500000000\x01",
                Some("dup-without-122") => "43=Y\x01",
                _ => "",
            };
            self.send_as(msg_type, seq, extra);
        }
        self.arrive(usize::MAX / 2);
        self.read(1 << 20);
    }

    /// For every message its number, and how long after the end of its read it was handed off when
    /// that was by a call of the function.
    fn called(&self) -> Vec<(u64, Option<i64>)> {
        let call =
            |m: &Message| (m.hand_off == How::Function).then_some(m.handed_off_ns - m.received_ns);
        self.messages.iter().map(|m| (m.seq, call(m))).collect()
    }

    fn cell(&self, index: usize, stage: Stage, part: Part) -> i64 {
        self.messages[index].split.matrix().get(stage, part)
    }
}

/// A message's way with a known wait in every stage.
fn one(script: &mut Script) {
    script.pass(ThreadState::Blocked, 100);
    script.send(1, "");
    script.pass(ThreadState::Blocked, 500);
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::Blocked, 7);
    script.pass(ThreadState::RunQueue, 30);
    script.pass(ThreadState::OnCpu, 3);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 20);
    script.pass(ThreadState::LockWait, 4_000);
    script.pass(ThreadState::Throttle, 900);
    script.hand_off();
}

#[test]
fn every_wait_is_in_its_cell() {
    let mut script = Script::new();
    one(&mut script);
    assert_eq!(script.messages.len(), 1);
    assert_eq!(script.messages[0].split.age_ns(), 500 + 40 + 4_920);
    for (stage, part, ns) in [
        (Stage::InFlight, Part::Network, 500),
        (Stage::Queued, Part::Blocked, 7),
        (Stage::Queued, Part::RunQueue, 30),
        (Stage::Queued, Part::OnCpu, 3),
        (Stage::InApp, Part::OnCpu, 20),
        (Stage::InApp, Part::LockWait, 4_000),
        (Stage::InApp, Part::Throttle, 900),
    ] {
        assert_eq!(script.cell(0, stage, part), ns, "{stage:?} {part:?}");
    }
    assert_eq!(script.messages[0].hand_off, How::Wait);
}

#[test]
fn a_lost_arrival_is_unknown_and_only_that() {
    let mut script = Script::new();
    script.send(1, "");
    script.pass(ThreadState::Blocked, 500);
    // The record of the first message's arrival found the ring full.
    script.arrived = script.stream.len();
    script.lost += 1;
    script.pass(ThreadState::Blocked, 100);
    script.send(2, "");
    script.pass(ThreadState::Blocked, 100);
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::OnCpu, 10);
    script.read(65_536);
    script.send(3, "");
    script.arrive(usize::MAX / 2);
    script.hand_off();
    script.pass(ThreadState::OnCpu, 10);
    script.read(65_536);
    script.hand_off();
    let unknown: Vec<_> = (0..3)
        .map(|i| script.cell(i, Stage::InFlight, Part::Unknown))
        .collect();
    // The first two share the arrival after the loss; it is believed for neither.
    assert_eq!(unknown, [710, 110, 0]);
    assert!(script.messages[0].arrived_ns.is_none());
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 0);
}

#[test]
fn a_lost_hand_off_is_not_taken_from_the_next() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 50);
    script.lost += 1;
    script.pass(ThreadState::Blocked, 10_000);
    script.hand_off();
    assert_eq!(script.messages[0].hand_off, How::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 10_050);
    // What comes after is whole again.
    one(&mut script);
    assert_eq!(script.cell(1, Stage::InApp, Part::LockWait), 4_000);
    assert_eq!(script.messages[1].hand_off, How::Wait);
}

#[test]
fn a_thread_that_ends_with_messages_in_hand() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 50);
    script.give(Event::ThreadExited(ThreadExited {
        head: RecordHead::default(),
        at_ns: script.at,
        tid: TID,
        tgid: 60,
    }));
    assert_eq!(script.messages[0].hand_off, How::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 50);
}

/// The thread receives from another socket, while it has others in hand.
fn read_elsewhere(script: &mut Script) {
    let recv = BytesReceived {
        head: RecordHead {
            socket_id: SOCKET + 1,
            ..script.head()
        },
        reader: script.now(),
        flags: receive_flags::OTHERS_PENDING,
        ..BytesReceived::default()
    };
    script.give(Event::BytesReceived(recv, Slices::behind(&[], &recv)));
}

#[test]
fn a_wait_that_may_have_been_missed_leaves_the_time_in_app_unknown() {
    let mut script = Script::new();
    for watched in [false, true] {
        if watched {
            script.sessions.entries_watched(script.at);
        }
        script.send(1, "");
        script.arrive(usize::MAX / 2);
        script.pass(ThreadState::OnCpu, 10);
        script.read(65_536);
        script.pass(ThreadState::OnCpu, 50);
        read_elsewhere(&mut script);
        script.pass(ThreadState::OnCpu, 70);
        script.hand_off();
    }
    assert_eq!(script.messages[0].hand_off, How::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 120);
    assert_eq!(script.cell(0, Stage::Queued, Part::OnCpu), 10);
    assert_eq!(script.messages[1].hand_off, How::Wait);
    assert_eq!(script.cell(1, Stage::InApp, Part::OnCpu), 120);
}

#[test]
fn a_hand_off_nobody_waits_for_is_not_taken_from_the_next_read() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read_flagged(65_536, receive_flags::HAND_OFF_LOST);
    script.pass(ThreadState::Blocked, 1_000);
    one(&mut script);
    assert_eq!(script.messages[0].hand_off, How::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 1_640);
    assert_eq!(script.messages[1].hand_off, How::Wait);
}

#[test]
fn a_message_waits_for_the_thread_that_receives_it() {
    let mut script = Script::new();
    one(&mut script);
    script.pass(ThreadState::LockWait, 1_000);
    script.send(2, "");
    script.pass(ThreadState::LockWait, 500);
    script.arrive(usize::MAX / 2);
    // Another thread has slept since long ago; it is woken and reads.
    let woken = script.at + 40;
    let mut past = ReaderHistory {
        head: script.head(),
        tid: TID + 1,
        next: 3,
        ..ReaderHistory::default()
    };
    past.changes[0] = StateChange::new(script.at - 9_000, ThreadState::Unknown as u32, 0);
    past.changes[1] = StateChange::new(woken, ThreadState::Blocked as u32, 0);
    past.changes[2] = StateChange::new(woken + 7, ThreadState::RunQueue as u32, 0);
    script.tid = TID + 1;
    script.ns = [100, 7, 0, 0, 9_040, 0];
    script.at = woken + 12;
    script.give(Event::ReaderHistory(past));
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 3);
    script.hand_off();
    assert_eq!(script.messages[1].tid, TID + 1);
    for (part, ns) in [
        (Part::Blocked, 40),
        (Part::RunQueue, 7),
        (Part::OnCpu, 5),
        (Part::Unknown, 0),
    ] {
        assert_eq!(script.cell(1, Stage::Queued, part), ns, "{part:?}");
    }
    assert_eq!(script.cell(1, Stage::InApp, Part::OnCpu), 3);
}

#[test]
fn bytes_that_could_not_be_read_lose_their_messages_only() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read_flagged(65_536, receive_flags::BYTES_MISSING);
    script.hand_off();
    one(&mut script);
    assert_eq!(script.messages.len(), 1);
    assert_eq!(script.cell(0, Stage::InApp, Part::LockWait), 4_000);
}

#[test]
fn a_receive_that_was_not_seen_leaves_the_time_in_the_queue_unknown() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    // All but the trailer is read, then the record of the read that brought it is lost.
    script.read(script.stream.len() - 3);
    script.lost += 1;
    script.read = script.stream.len();
    script.pass(ThreadState::Blocked, 1_000);
    script.send(2, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 5);
    script.hand_off();
    assert_eq!(script.messages.len(), 2);
    assert_eq!(script.cell(0, Stage::Queued, Part::Unknown), 1_000);
    assert_eq!(script.cell(0, Stage::Queued, Part::Blocked), 0);
}

#[test]
fn a_venue_ahead_of_us_is_skew() {
    let mut script = Script::new();
    script.at += 9_000;
    script.send(1, "");
    script.at -= 9_000;
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::OnCpu, 10);
    script.read(65_536);
    script.hand_off();
    assert_eq!(script.cell(0, Stage::InFlight, Part::Network), -9_000);
    assert_eq!(script.messages[0].split.skew_ns(), 9_000);
    assert_eq!(script.messages[0].split.age_ns(), 10 - 9_000);
}

#[test]
fn an_acknowledgement_pending_is_told_beside_the_matrix() {
    let mut script = Script::new();
    script.send(1, "");
    script.pass(ThreadState::Blocked, 500);
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::Blocked, 1_000);
    // The second message and a resend wait at the venue for the acknowledgement of the first.
    script.send(2, "");
    script.send(3, "43=Y\x01122=19700101-01:00:00.500000000\x01");
    script.pass(ThreadState::Blocked, 39_000);
    script.acknowledge();
    script.pass(ThreadState::Blocked, 20);
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    let pending: Vec<_> = script.messages.iter().map(|m| m.ack_pending_ns).collect();
    assert_eq!(pending, [0, 39_000, 0]);
    assert_eq!(script.cell(1, Stage::InFlight, Part::Network), 39_020);
}

#[test]
fn what_was_held_back_is_no_time_in_flight_that_an_acknowledgement_could_explain() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive_offering(usize::MAX / 2, 10);
    script.send(2, "");
    script.pass(ThreadState::Blocked, 30_000);
    script.acknowledge();
    script.pass(ThreadState::LockWait, 70_000);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 400);
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    assert_eq!(script.cell(1, Stage::HeldBack, Part::LockWait), 70_000);
    assert_eq!(script.cell(1, Stage::InFlight, Part::Network), 400);
    assert_eq!(script.messages[1].ack_pending_ns, 0);
}

#[test]
fn whole_seconds_are_narrowed() {
    let mut script = Script::new();
    let mut sent = Vec::new();
    for seq in 1..=1_200 {
        sent.push(script.at as i64 + UTC);
        script.send_whole_second(seq);
        script.pass(ThreadState::Blocked, 300_000);
        script.arrive(usize::MAX / 2);
        script.pass(ThreadState::OnCpu, 20_000);
        script.read(65_536);
        script.pass(ThreadState::LockWait, 2_000_000);
        script.hand_off();
        script.pass(ThreadState::Blocked, 7_680_000);
    }
    assert_eq!(script.messages.len(), sent.len());
    for (message, sent) in script.messages.iter().zip(sent).skip(1_000) {
        let (min, max) = message.age_narrowed().expect("narrowed after 10 s");
        let age = message.handed_off_ns - sent;
        assert!(min <= age && age <= max, "{min}..{max}, {age}");
        assert!(max - min < 100_000_000, "{min}..{max}");
        assert!(message.split.age_ns() - 1_000_000_000 <= min && max <= message.split.age_ns());
    }
}

#[test]
fn a_header_that_was_not_handed_over_whole_is_counted() {
    let mut script = Script::new();
    one(&mut script);
    // What little is copied of a burst ends before tag 122 of a resend.
    script.send(2, "43=Y\x01122=19700101-01:00:00.500000000\x01");
    script.arrive(usize::MAX / 2);
    script.read_cut(65_536, 0, 90);
    script.hand_off();
    one(&mut script);
    let seqs: Vec<_> = script.messages.iter().map(|m| m.seq).collect();
    assert_eq!(seqs, [1, 1]);
    assert_eq!(script.incomplete, 1);
}

#[test]
fn as_much_is_handed_over_as_headers_take() {
    let mut script = Script::new();
    assert_eq!(script.sessions.header_bytes(), MAX_SLICE_BYTES);
    script.send(1, "50=0123456789\x01");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    // Up to the tag after the header, and room for what makes a resend of it.
    let text = String::from_utf8(script.stream.clone()).expect("ASCII");
    let header = text.find("55=").expect("the first field of the body") + 5;
    let resend = "43=Y|122=20260101-00:00:00.000000000000|".len();
    assert_eq!(script.sessions.header_bytes(), header + resend + 8);
    script.send(
        2,
        &format!(
            "43=Y\x01122=19700101-01:00:00.5\x0150={}\x01",
            "x".repeat(60)
        ),
    );
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    let longer = script.sessions.header_bytes();
    assert!(longer > header + 60 && longer < MAX_SLICE_BYTES, "{longer}");
    script.hand_off();
    script.send(3, "");
    script.arrive(usize::MAX / 2);
    script.read_cut(65_536, 0, 40);
    one(&mut script);
    assert_eq!(script.sessions.header_bytes(), MAX_SLICE_BYTES);
}

#[test]
fn resends_count_from_the_original_time_or_not_at_all() {
    let mut script = Script::new();
    script.send(1, "43=Y\x01122=19700101-01:00:00.500000000\x01");
    script.send(2, "43=Y\x01");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    assert_eq!(script.messages.len(), 1);
    assert!(script.messages[0].poss_dup);
    assert_eq!(script.messages[0].split.age_ns(), 500_000_000);
    assert_eq!(script.excluded, [ExclusionReason::ResendWithoutOrigTime]);
}

#[test]
fn a_closed_socket_ends_its_session_once() {
    let mut script = Script::new();
    one(&mut script);
    let closed = SocketClosed {
        head: script.head(),
        at_ns: script.at,
        reason: CloseReason::Destroyed as u32,
        reserved: 0,
    };
    script.give(Event::SocketClosed(closed));
    script.give(Event::SocketClosed(closed));
    assert_eq!(script.ended, 1);
}

#[test]
fn every_message_gets_its_own_call() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 2", "8 3"], 3);
    // The session layer handles the Heartbeat itself.
    script.read_and_call(&["8 4", "0 5", "8 6"], 2);
    let calls = [(1, 100), (2, 200), (3, 300), (4, 100), (6, 200)];
    let called: Vec<_> = script.called();
    for (seq, after) in calls {
        assert!(called.contains(&(seq, Some(after))), "{seq}: {called:?}");
    }
    assert!(called.contains(&(5, None)), "{called:?}");
    assert_eq!(script.messages[4].hand_off, How::Wait);
    assert_eq!(script.sessions.unmatched(), 0);
}

#[test]
fn a_function_that_is_called_for_all_messages() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "0 2", "8 3"], 3);
    assert_eq!(
        script.called(),
        [(1, Some(100)), (2, Some(200)), (3, Some(300))]
    );
}

#[test]
fn a_message_in_two_reads_is_called_after_the_second() {
    let mut script = Script::by_function();
    script.send(1, "");
    script.send(2, "");
    script.arrive(usize::MAX / 2);
    script.read(script.stream.len() - 10);
    script.call();
    script.pass(ThreadState::OnCpu, 50);
    script.read(1 << 20);
    script.call();
    script.hand_off();
    assert_eq!(script.called(), [(1, Some(100)), (2, Some(100))]);
}

/// The engine's calls when message 2 is lost, as QuickFIX makes them: what comes after it is kept
/// until it has been sent again.
#[test]
fn after_a_gap_no_message_gets_the_call_of_another() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 3"], 1);
    script.read_and_call(&["8 4", "8 5"], 0);
    // Now 2 is passed on, and with it 3, 4 and 5: as many calls as messages, of which only the
    // first is of one of them.
    script.read_and_call(&["8 2 dup", "4 3 dup", "8 6", "8 7"], 4);
    assert!(script.called().iter().all(|(_, call)| call.is_none()));
    assert_eq!(script.sessions.unmatched(), 8);
    // In step again.
    script.read_and_call(&["8 8", "8 9"], 2);
    assert_eq!(script.called()[8..], [(8, Some(100)), (9, Some(200))]);
    assert_eq!(script.sessions.unmatched(), 8);
}

#[test]
fn a_gap_is_filled_in_the_read_that_shows_it() {
    let mut script = Script::by_function();
    // 3 waits for 2: the first call is of the second message, the second of the first.
    script.read_and_call(&["8 3", "8 2 dup"], 2);
    script.read_and_call(&["8 5", "8 4"], 2);
    assert!(script.called().iter().all(|(_, call)| call.is_none()));
    assert_eq!(script.sessions.unmatched(), 4);
}

#[test]
fn a_message_the_engine_rejects_has_no_call() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 2", "8 3", "0 4"], 2);
    assert!(script.called().iter().all(|(_, call)| call.is_none()));
    assert_eq!(script.sessions.unmatched(), 4);
}

#[test]
fn an_application_that_does_not_mind_a_gap_keeps_its_calls() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 2"], 2);
    script.read_and_call(&["8 7", "8 8"], 2);
    assert_eq!(script.called()[2..], [(7, Some(100)), (8, Some(200))]);
}

#[test]
fn a_message_without_an_age_has_calls_too() {
    let mut script = Script::by_function();
    // The call is of the resend, and the new message waits: one call, one message with an age.
    script.read_and_call(&["8 2 dup-without-122", "8 9"], 1);
    assert_eq!(script.excluded, [ExclusionReason::ResendWithoutOrigTime]);
    assert_eq!(
        (script.called(), script.sessions.unmatched()),
        (vec![(9, None)], 1)
    );
    // On its own it says nothing of the next read.
    script.read_and_call(&["8 10 dup-without-122"], 1);
    script.read_and_call(&["8 11"], 1);
    assert_eq!(script.called()[1], (11, Some(100)));
}

#[test]
fn what_the_function_is_called_for_does_not_change() {
    let mut script = Script::by_function();
    script.read_and_call(&["0 1", "8 2"], 1);
    // Two calls for a Heartbeat and a message: one is of something that was not seen.
    script.read_and_call(&["0 3", "8 4"], 2);
    assert_eq!(
        script.called(),
        [(1, None), (2, Some(100)), (3, None), (4, None)]
    );
    assert_eq!(script.sessions.unmatched(), 2);
}

/// One engine thread serves two sessions: it reads the first, works it off, reads the second.
#[test]
fn a_call_belongs_to_the_socket_read_last() {
    let mut script = Script::by_function();
    script.turn();
    script.open();
    script.receive(&["8 1", "8 2"]);
    script.call();
    script.call();
    script.turn();
    script.receive(&["8 1"]);
    script.call();
    script.hand_off();
    script.turn();
    script.hand_off();
    assert_eq!(
        script.called(),
        [(1, Some(100)), (1, Some(100)), (2, Some(200))]
    );
    assert_eq!(script.sessions.unmatched(), 0);
}

#[derive(Clone, Debug)]
enum Move {
    Pass(u8, u64),
    Send,
    Arrive(usize),
    Read(usize),
    HandOff,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0u8..5, 1u64..1_000_000).prop_map(|(s, ns)| Move::Pass(s, ns)),
        Just(Move::Send),
        (1usize..900).prop_map(Move::Arrive),
        (1usize..900).prop_map(Move::Read),
        Just(Move::HandOff),
    ];
    prop::collection::vec(one, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the order of things: every message once, in order, nothing unknown, and the moments
    /// are the ones at which its last byte arrived, was read and was handed off.
    #[test]
    fn any_schedule_is_exact(moves in moves()) {
        const STATE: [ThreadState; 5] = [
            ThreadState::OnCpu, ThreadState::RunQueue, ThreadState::Throttle, ThreadState::LockWait,
            ThreadState::Blocked,
        ];
        let mut script = Script::new();
        // End of each message, its sending, and when its last byte was seen to arrive and be read.
        let mut sent: Vec<(usize, u64)> = Vec::new();
        let (mut arrived, mut read) = (Vec::new(), Vec::new());
        for step in moves.into_iter().chain([
            Move::Pass(3, 77), Move::Arrive(1 << 20), Move::Read(1 << 20), Move::HandOff,
        ]) {
            match step {
                Move::Pass(state, ns) => script.pass(STATE[usize::from(state)], ns),
                Move::Send => {
                    script.send(sent.len() as u64 + 1, "");
                    sent.push((script.stream.len(), script.at));
                }
                Move::Arrive(n) => script.arrive(n),
                Move::Read(n) => script.read(n),
                Move::HandOff => script.hand_off(),
            }
            while sent.get(arrived.len()).is_some_and(|m| m.0 <= script.arrived) {
                arrived.push(script.at);
            }
            while sent.get(read.len()).is_some_and(|m| m.0 <= script.read) {
                read.push(script.at);
            }
        }
        prop_assert_eq!(script.messages.len(), sent.len());
        for (i, message) in script.messages.iter().enumerate() {
            prop_assert_eq!(message.seq, i as u64 + 1);
            prop_assert_eq!(message.arrived_ns, Some(arrived[i] as i64 + UTC));
            prop_assert_eq!(message.received_ns, read[i] as i64 + UTC);
            let matrix = message.split.matrix();
            prop_assert_eq!(matrix.part(Part::Unknown), 0);
            prop_assert_eq!(matrix.stage(Stage::InFlight), (arrived[i] - sent[i].1) as i64);
            prop_assert_eq!(matrix.stage(Stage::Queued), (read[i] - arrived[i]) as i64);
            prop_assert_eq!(matrix.total(), message.handed_off_ns - sent[i].1 as i64 - UTC);
        }
    }
}
