//! A session under way, made of events: time passes in thread states, bytes come and are read.

use agent_common::{
    Acknowledged, BytesArrived, BytesReceived, HandedOff, OpenReason, RecordHead, STATE_COUNT,
    Snapshot, SocketOpened, ThreadState, receive_flags,
};

use crate::{
    clock::{TimeSource, UtcClock},
    domain::{ExclusionReason, Message, Part, Stage, Update, Waiting},
    events::{Event, Slices},
    join::{SocketFilter, SocketTable},
};

/// A clock on which UTC is monotonic time plus an hour.
struct Fixed;

pub(super) const UTC: i64 = 3_600_000_000_000;

impl TimeSource for Fixed {
    fn monotonic(&mut self) -> u64 {
        0
    }

    fn realtime(&mut self) -> i64 {
        UTC
    }
}

pub(super) const SOCKET: u64 = 9;
const OTHER_SOCKET: u64 = 10;
pub(super) const TID: u32 = 70;
const FIRST: u32 = u32::MAX - 1_000;

/// A session under way: time passes in thread states, bytes come and are read.
pub(super) struct Script {
    pub(super) sockets: SocketTable,
    clock: UtcClock<Fixed>,
    pub(super) at: u64,
    /// The thread that reads.
    pub(super) tid: u32,
    pub(super) ns: [u64; STATE_COUNT],
    pub(super) lost: u32,
    socket: u64,
    pub(super) stream: Vec<u8>,
    pub(super) arrived: usize,
    pub(super) read: usize,
    /// Bytes acknowledged, segments sent, and when the last was.
    acked: (usize, u32, u64),
    /// The same four of another socket.
    other: (u64, Vec<u8>, usize, usize),
    pub(super) messages: Vec<Message>,
    pub(super) excluded: Vec<ExclusionReason>,
    pub(super) incomplete: u64,
    pub(super) ended: usize,
    pub(super) waiting: Vec<Waiting>,
}

impl Script {
    pub(super) fn new() -> Self {
        Self::with(SocketFilter::default())
    }

    /// With a hand-off function.
    pub(super) fn by_function() -> Self {
        Self::with(SocketFilter {
            hand_off_function: true,
            ..SocketFilter::default()
        })
    }

    pub(super) fn with(filter: SocketFilter) -> Self {
        let mut script = Self::unopened_with(filter);
        script.open();
        script
    }

    /// A session that the agent does not observe yet.
    pub(super) fn unopened() -> Self {
        Self::unopened_with(SocketFilter::default())
    }

    fn unopened_with(filter: SocketFilter) -> Self {
        Self {
            sockets: SocketTable::new(filter),
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
            waiting: Vec::new(),
        }
    }

    pub(super) fn open(&mut self) {
        self.handle(&Event::SocketOpened(SocketOpened {
            head: self.head(),
            at_ns: self.at,
            family: 2,
            local_address: [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            acked: self.acknowledged(),
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
    pub(super) fn switch_sockets(&mut self) {
        std::mem::swap(&mut self.socket, &mut self.other.0);
        std::mem::swap(&mut self.stream, &mut self.other.1);
        std::mem::swap(&mut self.arrived, &mut self.other.2);
        std::mem::swap(&mut self.read, &mut self.other.3);
    }

    /// The sequence number of a position in the stream.
    pub(super) const fn sequence(position: usize) -> u32 {
        FIRST.wrapping_add(position as u32)
    }

    pub(super) fn head(&self) -> RecordHead {
        RecordHead {
            kind: 0,
            lost: self.lost,
            socket_id: self.socket,
        }
    }

    pub(super) fn handle(&mut self, event: &Event<'_>) {
        let (messages, excluded, ended) = (&mut self.messages, &mut self.excluded, &mut self.ended);
        let (incomplete, waiting) = (&mut self.incomplete, &mut self.waiting);
        self.sockets
            .handle(event, &self.clock, &mut |update| match update {
                Update::Message(message) => messages.push(*message),
                Update::Excluded(_, why) => excluded.push(why),
                Update::SessionEnded(_) => *ended += 1,
                Update::Waiting(_, now) => waiting.push(*now),
                Update::Tap(_, delta) => *incomplete += delta.incomplete_headers,
                _ => {}
            });
    }

    /// The ingest thread is in `state` for `ns`.
    pub(super) fn pass(&mut self, state: ThreadState, ns: u64) {
        self.at += ns;
        self.ns[state as usize] += ns;
    }

    pub(super) fn now(&self) -> Snapshot {
        Snapshot {
            at_ns: self.at,
            state_ns: self.ns,
            tid: self.tid,
            reserved: 0,
        }
    }

    pub(super) fn acknowledged(&self) -> Acknowledged {
        let (end, segments, sent_at) = self.acked;
        Acknowledged {
            sent_at_ns: sent_at,
            end_seq: FIRST.wrapping_add(end as u32),
            segments,
        }
    }

    /// The kernel acknowledges what has arrived.
    pub(super) fn acknowledge(&mut self) {
        self.acked = (self.arrived, self.acked.1 + 1, self.at);
    }

    /// The venue writes a message now; `extra` comes before the body.
    pub(super) fn send(&mut self, seq: u64, extra: &str) {
        self.send_written("8", seq, extra, true);
    }

    /// The same, with a stamp in whole seconds.
    pub(super) fn send_whole_second(&mut self, seq: u64) {
        self.send_written("8", seq, "", false);
    }

    /// The same of another type.
    pub(super) fn send_as(&mut self, msg_type: &str, seq: u64, extra: &str) {
        self.send_written(msg_type, seq, extra, true);
    }

    pub(super) fn send_written(&mut self, msg_type: &str, seq: u64, extra: &str, exact: bool) {
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
            "35={msg_type}\x0149=VENUE\x0156=DROP\x0134={seq}\x0152={time}\x01{extra}55=ABC\x01\
             58={}\x01",
            "x".repeat(200)
        );
        let text = format!("8=FIX.4.4\x019={}\x01{body}10=000\x01", body.len());
        self.stream.extend(text.bytes());
    }

    /// The next `n` bytes (or what there is) become readable.
    pub(super) fn arrive(&mut self, n: usize) {
        self.arrive_offering(n, 60_000);
    }

    /// The same, with a receive window of `offered` bytes left.
    pub(super) fn arrive_offering(&mut self, n: usize, offered: u32) {
        self.arrived = (self.arrived + n).min(self.stream.len());
        let event = Event::BytesArrived(BytesArrived {
            head: self.head(),
            reader: self.now(),
            acked: self.acknowledged(),
            rcv_nxt: FIRST.wrapping_add(self.arrived as u32),
            offered,
            min_usable: 1_000,
            copied_seq: FIRST.wrapping_add(self.read as u32),
        });
        self.handle(&event);
    }

    /// The thread reads up to `n` bytes.
    pub(super) fn read(&mut self, n: usize) {
        self.read_flagged(n, 0);
    }

    pub(super) fn read_flagged(&mut self, n: usize, flags: u32) {
        self.read_cut(n, flags, usize::MAX);
    }

    /// The same, of which at most `max_bytes` bytes are handed over.
    pub(super) fn read_cut(&mut self, n: usize, flags: u32, max_bytes: usize) {
        let to = (self.read + n).min(self.arrived);
        let len = to - self.read;
        if len == 0 {
            return;
        }
        let bytes = self.stream[self.read..to.min(self.read.saturating_add(max_bytes))].to_vec();
        let start = FIRST.wrapping_add(self.read as u32);
        self.read = to;
        let recv = BytesReceived {
            head: self.head(),
            reader: self.now(),
            acked: self.acknowledged(),
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
        self.handle(&Event::BytesReceived(recv, slices));
    }

    pub(super) fn hand_off(&mut self) {
        let event = Event::HandedOff(HandedOff {
            head: self.head(),
            reader: self.now(),
            how: 1,
            reserved: 0,
        });
        self.handle(&event);
    }

    pub(super) fn cell(&self, index: usize, stage: Stage, part: Part) -> i64 {
        self.messages[index].split.matrix().get(stage, part)
    }
}

/// A message's way with a known wait in every stage.
pub(super) fn one(script: &mut Script) {
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
