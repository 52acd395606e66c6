//! Perfetto's own trace processor reads the exported trace: it reports no errors, and every message
//! has its age.
//!
//! The tests need Node.js and, in the folder that `TAG52_PERFETTO` names, the trace processor of a
//! release of the Perfetto UI (`engine_bundle.js`, `trace_processor.wasm`; `cargo xtask test`
//! fetches them). Without these they fail where `CI` is `true`, and are skipped elsewhere.

mod trace_processor;
mod updates;

use std::{collections::HashMap, fs::File, num::NonZeroU64, path::Path, time::Duration};

use tag52::{
    domain::{Moment, Sink as _, Update},
    outputs::perfetto::{ExportCounts, Trace, TraceFilter},
};

use trace_processor::{Rows, int, query};
use updates::{MS, UTC, stalls, updates};

fn export(path: &Path, filter: TraceFilter, updates: &[(Moment, Update)]) -> ExportCounts {
    let file = File::create(path).expect("a file");
    let mut trace = Trace::new(file, filter);
    for (at, update) in updates {
        trace.publish(*at, update.clone());
    }
    trace.finish().expect("written")
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
const STALLS: &str = "select s.name, s.dur, t.name, \
    extract_arg(s.arg_set_id, 'debug.in_hand'), \
    extract_arg(s.arg_set_id, 'debug.waiting_age_ns'), \
    extract_arg(s.arg_set_id, 'debug.waits_for') \
    from slice s join track t on t.id = s.track_id where s.category = 'stall' order by s.ts";
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

#[test]
fn stalls_are_slices_on_the_track_of_their_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.pftrace");
    export(&path, TraceFilter::default(), &stalls());
    let Some(answers) = query(&path, &[ERRORS, STALLS]) else {
        return;
    };
    assert!(answers[0].is_empty(), "{:?}", answers[0]);
    let stalls = &answers[1];
    // The first ends with the hand-off, the second with the recording.
    let lengths: Vec<_> = stalls.iter().map(|row| int(&row[1])).collect();
    assert_eq!(lengths, [3_000 * MS, 2_010 * MS], "{stalls:?}");
    // The last sample of the first was 190 ms before its end.
    let ages: Vec<_> = stalls.iter().map(|row| int(&row[4])).collect();
    assert_eq!(ages, [2_810 * MS, 2_010 * MS], "{stalls:?}");
    for row in stalls {
        assert_eq!(row[0], "stalled: 2 in hand", "{row:?}");
        assert_eq!(row[2], "VENUE > DROP :5002", "{row:?}");
        assert_eq!((int(&row[3]), &row[5]), (2, &"write".into()), "{row:?}");
    }
}
