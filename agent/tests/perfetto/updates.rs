//! The updates of a recording whose figures are known exactly.

use std::sync::Arc;

use tag52::domain::{
    CallObject, CgroupLevel, CgroupUse, Charge, Culprit, CulpritId, Function, HandOff,
    HolderSample, InHand, Lock, Matrix, Message, MessageAftermath, Moment, MsgType, OwnerEvidence,
    Part, Queued, ReaderActivity, RunnerRelation, SentTime, SessionId, Split, Stage,
    ThreadActivity, ThreadName, Update, Wait, Waiting,
};

pub(crate) const UTC: i64 = 1_700_000_000_000_000_000;
pub(crate) const MS: i64 = 1_000_000;
const MINUTE: i64 = 60_000 * MS;
const GIL: CulpritId = CulpritId(1);
const NEIGHBOUR: CulpritId = CulpritId(2);
const CALL: CulpritId = CulpritId(3);

fn at(monotonic_ns: i64) -> Moment {
    Moment {
        monotonic_ns: monotonic_ns.unsigned_abs(),
        utc_ns: UTC + monotonic_ns,
    }
}

fn session(n: u16) -> Arc<SessionId> {
    Arc::new(SessionId {
        sender: "VENUE".into(),
        target: "DROP".into(),
        local: ([127, 0, 0, 1], 5002 + n).into(),
        remote: ([127, 0, 0, 1], 40112).into(),
        pid: 411,
    })
}

fn thread(tid: u32, comm: &str) -> ThreadName {
    ThreadName {
        tid,
        pid: 411,
        comm: comm.into(),
    }
}

fn message(
    session: &Arc<SessionId>,
    seq: u64,
    handed_off: i64,
    network: i64,
    lock: i64,
) -> Message {
    let mut matrix = Matrix::default();
    matrix.add(Stage::InFlight, Part::Network, network);
    matrix.add(Stage::HeldBack, Part::LockWait, lock / 2);
    matrix.add(Stage::Queued, Part::LockWait, lock / 3);
    matrix.add(Stage::Queued, Part::RunQueue, 7);
    matrix.add(Stage::InApp, Part::OnCpu, 25_001);
    let age = matrix.total();
    Message {
        session: Arc::clone(session),
        tid: 412 + u32::from(session.local.port() - 5002),
        seq,
        msg_type: MsgType::new(b"8").expect("a type"),
        bytes: 250,
        poss_dup: false,
        sent: SentTime {
            utc_ns: UTC + handed_off - age,
            resolution_ns: 1_000,
        },
        sent_between: None,
        arrived_ns: None,
        received_ns: UTC + handed_off - 25_001,
        handed_off_ns: UTC + handed_off,
        handed_off_at: 0,
        held_back_from: 0,
        hand_off: HandOff::Wait,
        ack_pending_ns: 0,
        split: Split::new(age, matrix).expect("the age is the sum"),
        charges: vec![Charge {
            part: Part::LockWait,
            culprit: GIL,
            ns: (lock / 3).unsigned_abs(),
            held_back_ns: 0,
        }],
        aftermath: MessageAftermath::default(),
    }
}

/// Two sessions: a backlog that builds up and is drained, with a venue's clock ahead at times.
pub(crate) fn updates(messages: u64) -> Vec<(Moment, Update)> {
    let culprits = [
        (
            GIL,
            Culprit::Holder {
                lock: Lock::Gil,
                thread: thread(499, "json"),
            },
        ),
        (
            NEIGHBOUR,
            Culprit::Runner {
                thread: thread(900, "batch"),
                cgroup: "/batch".into(),
                relation: RunnerRelation::OtherCgroup,
            },
        ),
        (
            CALL,
            Culprit::Call {
                name: "write".into(),
                object: CallObject::None,
            },
        ),
    ];
    let mut all: Vec<_> = culprits
        .into_iter()
        .map(|(id, culprit)| (at(MINUTE), Update::Culprit(id, Arc::new(culprit))))
        .collect();
    let sessions = [session(0), session(1)];
    for i in 0..messages {
        let now = MINUTE + 10 * MS * i.cast_signed();
        // Grows by 3 ms with every message 10 ms apart, up to 3 s.
        let lock = 3 * MS * (i % 1000).cast_signed() + 11;
        let network = if i % 50 == 49 { -5 * MS } else { 40_003 };
        let m = message(&sessions[usize::from(i % 3 == 0)], i, now, network, lock);
        let moment = at(now + MS);
        all.push((moment, Update::Message(Box::new(m))));
        let wait = |part, culprit, from: i64, to: i64, ns: i64| {
            Update::Wait(Wait {
                tid: 412,
                part,
                culprit,
                from_ns: from.unsigned_abs(),
                to_ns: to.unsigned_abs(),
                ns: ns.unsigned_abs(),
                timeouts: 1,
            })
        };
        let (a, b, c) = (now - 9 * MS, now - 4 * MS, now - 2 * MS);
        all.push((moment, wait(Part::LockWait, GIL, a, b, 5 * MS)));
        all.push((moment, wait(Part::RunQueue, NEIGHBOUR, b, c, MS)));
        all.push((moment, wait(Part::RunQueue, CulpritId::OTHER, b, c, MS)));
        all.push((moment, wait(Part::Blocked, CALL, c, now, 2 * MS)));
        if i % 10 == 0 {
            let sample = HolderSample {
                at_ns: (a + MS) as u64,
                waiter: 412,
                culprit: GIL,
                activity: ThreadActivity {
                    state: Part::OnCpu,
                    call: None,
                    function: Some(Function {
                        name: "iterencode".into(),
                        location: "json/encoder.py:205".into(),
                    }),
                },
            };
            all.push((moment, Update::HolderSample(Box::new(sample))));
            let level = CgroupLevel {
                path: "/pod".into(),
                quota_ns: Some(20_000_000),
                period_ns: 100_000_000,
                usage_ns: Some(i * 1_500_000),
                throttled_ns: i * 1_000_000,
                ..CgroupLevel::default()
            };
            let levels = vec![level];
            let cgroup = CgroupUse { pid: 411, levels };
            all.push((moment, Update::Cgroup(Box::new(cgroup))));
        }
    }
    all
}

/// A message every 10 ms; then the reader hangs in a call for three seconds, hands one message off
/// and hangs until the recording ends two seconds later. A sample every 200 ms.
pub(crate) fn stalls() -> Vec<(Moment, Update)> {
    let call = Culprit::Call {
        name: "write".into(),
        object: CallObject::None,
    };
    let mut all = vec![(at(MINUTE), Update::Culprit(CALL, Arc::new(call)))];
    for i in 0..10 {
        let now = MINUTE + 10 * MS * i;
        let m = message(&session(0), i.unsigned_abs(), now, 40_003, 11);
        all.push((at(now + MS), Update::Message(Box::new(m))));
    }
    let mut last_hand_off = MINUTE + 90 * MS;
    for tick in 1..=25 {
        let now = MINUTE + 100 * MS + 200 * MS * tick;
        if tick == 15 {
            let handed_off = now - 10 * MS;
            let m = message(&session(0), 10, handed_off, 40_003, 3_000 * MS);
            all.push((at(handed_off + MS), Update::Message(Box::new(m))));
            last_hand_off = handed_off;
        }
        let sample = stalled_sample(now, last_hand_off);
        all.push((at(now), Update::Waiting(session(0), Box::new(sample))));
    }
    all
}

/// Two messages in hand since the last hand-off.
fn stalled_sample(now: i64, last_hand_off: i64) -> Waiting {
    let since_ns = last_hand_off.unsigned_abs();
    let mut matrix = Matrix::default();
    matrix.add(Stage::InApp, Part::Blocked, now - last_hand_off);
    Waiting {
        at_ns: now.unsigned_abs(),
        in_hand: InHand {
            messages: 2,
            bytes: 300,
        },
        queued: Queued::default(),
        window_closed_since_ns: None,
        split: Split::new(now - last_hand_off, matrix).expect("balanced"),
        is_lower_bound: false,
        waits_since_ns: Some(since_ns),
        last_hand_off_ns: Some(since_ns),
        reader: Some(ReaderActivity {
            tid: 412,
            pid: 411,
            state: Part::Blocked,
            since_ns,
            sleep: None,
            culprit: Some(CALL),
            owner: OwnerEvidence::None,
            deadlock: Vec::new(),
        }),
        waited_ns: [0; Part::ALL.len()],
    }
}
