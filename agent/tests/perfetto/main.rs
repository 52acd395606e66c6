//! Perfetto's own trace processor reads the exported trace: it reports no errors, and every message
//! has its age.
//!
//! The tests need Node.js and, in the folder that `TAG52_PERFETTO` names, the trace processor of a
//! release of the Perfetto UI (`engine_bundle.js`, `trace_processor.wasm`; `cargo xtask test`
//! fetches them). Without these they fail where `CI` is `true`, and are skipped elsewhere.

use std::{
    collections::HashMap, env, fs::File, num::NonZeroU64, path::Path, process::Command, sync::Arc,
    time::Duration,
};

use tag52::{
    domain::{
        CgroupLevel, CgroupUse, Charge, Culprit, CulpritId, Function, HandOff, HolderSample, Lock,
        Matrix, Message, MessageAftermath, Moment, MsgType, Part, RunnerRelation, SentTime,
        SessionId, Split, Stage, ThreadActivity, ThreadName, Update, Wait,
    },
    outputs::perfetto::{ExportCounts, Trace, TraceFilter},
    pipeline::Sink as _,
};

const UTC: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;
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
fn updates(messages: u64) -> Vec<(Moment, Update)> {
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
                object: tag52::domain::CallObject::None,
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

fn export(path: &Path, filter: TraceFilter, updates: &[(Moment, Update)]) -> ExportCounts {
    let file = File::create(path).expect("a file");
    let mut trace = Trace::new(file, filter);
    for (at, update) in updates {
        trace.publish(*at, update.clone());
    }
    trace.finish().expect("written")
}

type Rows = Vec<Vec<serde_json::Value>>;

/// The rows of each query; `None` where the trace processor is missing. One that fails fails the
/// test.
fn query(trace: &Path, queries: &[&str]) -> Option<Vec<Rows>> {
    let Some(folder) = env::var_os("TAG52_PERFETTO").filter(|folder| !folder.is_empty()) else {
        skip("TAG52_PERFETTO names no folder with Perfetto's trace processor");
        return None;
    };
    if Command::new("node").arg("--version").output().is_err() {
        skip("Perfetto's trace processor runs in Node.js, and there is no `node`");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/perfetto/query.mjs");
    let mut node = Command::new("node");
    let output = node
        .arg(script)
        .arg(folder)
        .arg(trace)
        .args(queries)
        .output();
    let output = output.expect("node runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let rows = |line| serde_json::from_str(line).expect("JSON");
    let answers: Vec<Rows> = text.lines().map(rows).collect();
    assert_eq!(answers.len(), queries.len());
    Some(answers)
}

/// Skips a test without its oracle, and fails it where `CI` is `true`.
fn skip(reason: &str) {
    let ci = env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci, "CI=true, and {reason}");
    eprintln!("skipped: {reason}");
}

fn int(value: &serde_json::Value) -> i64 {
    value
        .as_i64()
        .unwrap_or_else(|| panic!("{value} is no integer"))
}

const ERRORS: &str =
    "select name, value from stats where severity in ('error', 'data_loss') and value > 0";
const MESSAGES: &str = "select s.id, s.ts, s.dur, \
    extract_arg(s.arg_set_id, 'debug.age_ns'), \
    extract_arg(s.arg_set_id, 'debug.seq'), \
    extract_arg(s.arg_set_id, 'debug.sent_utc_ns'), \
    s.depth from slice s where s.category = 'message'";
const STAGES: &str = "select parent_id, dur, \
    extract_arg(s.arg_set_id, 'debug.ns'), name \
    from slice s where category = 'stage'";
const WAITS: &str = "select name, count(*), sum(dur) from slice where category = 'wait' \
    group by name order by name";
const HOLDS: &str =
    "select s.name, count(*), sum(s.dur) from slice s where category = 'hold' group by 1";
const FLOWS: &str = "select count(*) from flow f join slice o on f.slice_out = o.id \
    join slice i on f.slice_in = i.id \
    where o.category = 'hold' and i.category = 'wait' and o.ts = i.ts";
const SAMPLES: &str = "select name, count(*) from slice where category = 'sample' group by name";
const COUNTERS: &str = "select t.name, count(*), max(c.value), min(c.value) from counter c \
    join track t on t.id = c.track_id group by t.name order by t.name";
const OMITTED: &str =
    "select key, int_value from args join slice using (arg_set_id) where category = 'export'";
const UTC_OF_TRACE: &str = "select max(clock_value - ts) from clock_snapshot where clock_id = 1";
const THREADS: &str = "select tid, pid from thread join process using (upid) where tid = 412";

#[test]
fn the_trace_processor_reads_it_without_complaint() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.pftrace");
    let updates = updates(3_000);
    let filter = TraceFilter {
        lanes: 1_000,
        ..TraceFilter::default()
    };
    let exported = export(&path, filter, &updates);
    assert_eq!((exported.messages, exported.drawn), (3_000, 3_000));
    let queries = [
        ERRORS,
        MESSAGES,
        STAGES,
        WAITS,
        HOLDS,
        FLOWS,
        SAMPLES,
        COUNTERS,
        OMITTED,
        UTC_OF_TRACE,
        THREADS,
    ];
    let Some(answers) = query(&path, &queries) else {
        return;
    };
    let [
        errors,
        messages,
        stages,
        waits,
        holds,
        flows,
        samples,
        counters,
        omitted,
        utc,
        threads,
    ] = <[Rows; 11]>::try_from(answers).expect("as many as asked");
    assert!(errors.is_empty(), "{errors:?}");

    let mut sums: HashMap<i64, (i64, i64)> = HashMap::new();
    for row in &stages {
        let sum = sums.entry(int(&row[0])).or_default();
        sum.0 += int(&row[1]);
        sum.1 += int(&row[2]);
    }
    assert_eq!(messages.len(), 3_000);
    for row in &messages {
        let [id, ts, dur, age, seq, sent, depth] = [0, 1, 2, 3, 4, 5, 6].map(|i| int(&row[i]));
        let (drawn, in_args) = sums[&id];
        assert_eq!(depth, 0, "{row:?}");
        assert_eq!((drawn, in_args), (dur, age), "{row:?}");
        let ahead = seq % 50 == 49;
        assert_eq!(dur, if ahead { age + 5 * MS } else { age }, "{row:?}");
        assert_eq!(
            ts - (sent - UTC),
            if ahead { -5 * MS } else { 0 },
            "{row:?}"
        );
    }

    let of = |rows: &Rows, name: &str| {
        let row = rows.iter().find(|row| row[0] == name);
        row.unwrap_or_else(|| panic!("{name} in {rows:?}")).clone()
    };
    let gil = of(&waits, "lock_wait: GIL held by json 499");
    assert_eq!((int(&gil[1]), int(&gil[2])), (3_000, 3_000 * 5 * MS));
    let name = "run_queue: batch 900 (another cgroup, /batch) and others";
    let neighbour = of(&waits, name);
    assert_eq!(
        (int(&neighbour[1]), int(&neighbour[2])),
        (3_000, 6_000 * MS)
    );
    assert_eq!(waits.len(), 3, "{waits:?}");
    assert_eq!(int(&of(&waits, "blocked: write")[2]), 6_000 * MS);
    let hold = of(&holds, "holds GIL");
    assert_eq!((int(&hold[1]), int(&hold[2])), (3_000, 15_000 * MS));
    assert_eq!(int(&flows[0][0]), 3_000);
    assert_eq!(int(&of(&samples, "iterencode")[1]), 300);
    let value = |name: &str| of(&counters, name)[2].as_f64().expect("a number");
    assert!((value("cores used") - 0.15).abs() < 1e-9);
    assert!((value("cores limit") - 0.2).abs() < 1e-9);
    assert!((value("throttled per second") - 1e8).abs() < 1.0);
    assert!(value("backlog") > 100.0);
    assert_eq!(of(&counters, "backlog")[3].as_f64(), Some(0.0));
    assert!(value("age, p99") > 2e9 && value("age, last") > 2e9);
    assert_eq!(int(&of(&omitted, "debug.drawn")[1]), 3_000);
    assert_eq!(int(&utc[0][0]), UTC);
    assert_eq!((int(&threads[0][0]), int(&threads[0][1])), (412, 411));
}

#[test]
fn omitted_messages_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.pftrace");
    let filter = TraceFilter {
        every: NonZeroU64::new(5).expect("not 0"),
        slower_than: Duration::from_millis(1),
        lanes: 3,
    };
    let exported = export(&path, filter, &updates(3_000));
    let omitted = exported.omitted_faster + exported.omitted_every + exported.omitted_no_lane;
    assert_eq!(exported.drawn + omitted, exported.messages);
    assert!(exported.omitted_faster > 0 && exported.omitted_every > 0);
    assert!(exported.omitted_no_lane > 0 && exported.drawn > 0);
    let Some(answers) = query(&path, &[ERRORS, MESSAGES, OMITTED]) else {
        return;
    };
    assert!(answers[0].is_empty(), "{:?}", answers[0]);
    assert_eq!(answers[1].len() as u64, exported.drawn);
    for (name, count) in exported.named() {
        let row = answers[2]
            .iter()
            .find(|row| row[0] == format!("debug.{name}"));
        assert_eq!(
            row.map(|row| int(&row[1])),
            Some(count.cast_signed()),
            "{name}"
        );
    }
}
