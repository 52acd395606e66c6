//! The lines, read back.

use std::{sync::Arc, time::Instant};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    domain::{
        Charge, Container, Culprit, CulpritId, ExclusionReason, Function, HolderSample, Lock,
        Moment, Part, Pod, ProcessInfo, Qos, Stage, ThreadActivity, ThreadName, Update,
        fixtures::{any_message, message, session},
    },
    model::Model,
    outputs::fixtures::{
        at, incident, incident_samples, incident_second, narrowed, switch_cost, unavailable,
    },
};

fn parse(line: &[u8]) -> Value {
    assert_eq!(line.iter().position(|&b| b == b'\n'), Some(line.len() - 1));
    serde_json::from_slice(line).expect("a line is JSON")
}

fn cell_sum(matrix: &Value) -> i64 {
    let stages = matrix.as_object().expect("an object");
    assert_eq!(
        stages.keys().map(String::as_str).collect::<Vec<_>>(),
        ["held_back", "in_app", "in_flight", "queued"] // sorted by the parser
    );
    stages
        .values()
        .flat_map(|parts| parts.as_object().expect("an object").values())
        .map(|ns| ns.as_i64().expect("an integer"))
        .sum()
}

#[test]
fn a_process_in_a_pod_has_every_resolved_name() {
    let written = |process: &ProcessInfo| {
        let mut line = JsonLine::default();
        line.open(b'{');
        line.process(process);
        let v = parse(line.finish());
        v["process"].clone()
    };
    let mut process = ProcessInfo {
        pid: 411,
        inner_pid: 1,
        comm: "oms".to_owned(),
        ..ProcessInfo::default()
    };
    let on_the_host = serde_json::json!({"pid": 411, "container_pid": 1, "comm": "oms"});
    assert_eq!(written(&process), on_the_host);
    process.container = Some(Container {
        id: "aa".to_owned(),
        runtime: Some("containerd".to_owned()),
        name: None,
    });
    process.pod = Some(Pod {
        uid: "u".to_owned(),
        qos: Some(Qos::Burstable),
        ..Pod::default()
    });
    process.cpu_request_between = Some((90, 250));
    assert_eq!(
        written(&process),
        serde_json::json!({
            "pid": 411, "container_pid": 1, "comm": "oms",
            "container_id": "aa", "container": null, "runtime": "containerd",
            "pod_uid": "u", "namespace": null, "pod": null, "qos": "burstable",
            "cpu_request_millis": null, "cpu_request_min_millis": 90, "cpu_request_max_millis": 250,
            "cpu_limit_millis": null,
        })
    );
}

proptest! {
    #[test]
    fn a_message_line_reads_back_and_sums(m in any_message(0)) {
        let mut line = JsonLine::default();
        let v = parse(line.message(&m));
        prop_assert_eq!(&v["type"], "message");
        prop_assert_eq!(v["seq"].as_u64(), Some(m.seq));
        prop_assert_eq!(v["bytes"].as_u64(), Some(m.bytes.into()));
        prop_assert_eq!(v["poss_dup"].as_bool(), Some(m.poss_dup));
        prop_assert_eq!(v["sent_ns"].as_i64(), Some(m.sent.utc_ns));
        prop_assert_eq!(v["arrived_ns"].as_i64(), m.arrived_ns);
        prop_assert!(v.get("arrived_ns").is_some());
        prop_assert_eq!(v["received_ns"].as_i64(), Some(m.received_ns));
        prop_assert_eq!(v["handed_off_ns"].as_i64(), Some(m.handed_off_ns));
        let age = v["age_ns"].as_i64().expect("an integer");
        prop_assert_eq!(age, m.split.age_ns());
        prop_assert_eq!(cell_sum(&v["matrix"]), age);
        prop_assert_eq!(
            v["handed_off_ns"].as_i64().unwrap() - v["sent_ns"].as_i64().unwrap(), age
        );
        let age_min = (m.sent.resolution_ns > 1_000).then(|| age - m.sent.resolution_ns);
        prop_assert_eq!(v.get("age_min_ns").and_then(Value::as_i64), age_min);
        let narrowed = v.get("age_narrowed_ns");
        prop_assert_eq!(narrowed.is_some(), m.sent_between.is_some());
        if let Some(narrowed) = narrowed {
            let bound = |key: &str| narrowed[key].as_i64().expect("an integer");
            prop_assert!(age - m.sent.resolution_ns <= bound("min"));
            prop_assert!(bound("min") <= bound("max") && bound("max") <= age);
        }
        for (stage, part, ns) in m.split.matrix().nonzero() {
            prop_assert_eq!(v["matrix"][stage.name()][part.name()].as_i64(), Some(ns));
        }
    }

    #[test]
    fn any_name_survives(sender in any::<String>(), target in "[\\x00-\\x7f]*") {
        let mut m = message(&session(0), 1, &[]);
        let mut id = (*m.session).clone();
        (id.sender, id.target) = (sender, target);
        m.session = Arc::new(id);
        let mut line = JsonLine::default();
        let v = parse(line.message(&m));
        prop_assert_eq!(v["session"]["sender"].as_str(), Some(&*m.session.sender));
        prop_assert_eq!(v["session"]["target"].as_str(), Some(&*m.session.target));
    }
}

#[test]
fn the_message_line_is_the_one_of_the_accounting_model() {
    let m = message(
        &session(0),
        17,
        &[
            (Stage::Queued, Part::LockWait, 5),
            (Stage::InApp, Part::OnCpu, 2),
        ],
    );
    let line = String::from_utf8(JsonLine::default().message(&m).to_vec()).expect("UTF-8");
    assert_eq!(
        line,
        concat!(
            r#"{"type":"message","session":{"sender":"VENUE","target":"DROP","#,
            r#""local":"127.0.0.1:5002","remote":"127.0.0.1:40112","pid":411,"tid":412},"#,
            r#""seq":17,"msg_type":"8","bytes":250,"poss_dup":false,"sent_ns":1700000000000000000,"#,
            r#""sent_resolution_ns":1000000,"arrived_ns":1700000000000000000,"#,
            r#""received_ns":1700000000000000005,"handed_off_ns":1700000000000000007,"#,
            r#""age_ns":7,"age_min_ns":-999993,"hand_off":"wait","#,
            r#""matrix":{"in_flight":{},"held_back":{},"queued":{"lock_wait":5},"#,
            r#""in_app":{"on_cpu":2}}}"#,
            "\n"
        )
    );
}

#[test]
fn the_row_of_a_holder_has_its_samples() {
    let s = session(0);
    let mut model = Model::at_zero();
    let thread = ThreadName {
        tid: 9,
        pid: 8,
        comm: "hog".to_owned(),
    };
    let lock = Lock::Gil;
    let culprit = Arc::new(Culprit::Holder { lock, thread });
    model.apply(Moment::default(), &Update::Culprit(CulpritId(1), culprit));
    let mut m = message(&s, 1, &[(Stage::Queued, Part::LockWait, 100)]);
    m.charges = vec![Charge {
        part: Part::LockWait,
        culprit: CulpritId(1),
        ns: 90,
        held_back_ns: 0,
    }];
    model.observe(&m);
    let mut sample = |waiter, line: u32| {
        let sample = HolderSample {
            at_ns: 0,
            waiter,
            culprit: CulpritId(1),
            activity: ThreadActivity {
                state: Part::OnCpu,
                call: None,
                function: Some(Function {
                    name: "hash".to_owned(),
                    location: format!("hog.py:{line}"),
                }),
            },
        };
        model.apply(Moment::default(), &Update::HolderSample(Box::new(sample)));
    };
    for line in 0..8 {
        sample(m.tid, line);
    }
    sample(m.tid, 7);
    // Somebody else waited.
    sample(m.tid + 1, 0);
    let mut line = JsonLine::default();
    let v = parse(line.summary(&model.summary_now()));
    let row = &v["sessions"][0]["blame"][0];
    assert_eq!((&row["ns"], &row["samples"]), (&90.into(), &9.into()));
    let doing = row["doing"].as_array().expect("rows");
    assert_eq!(doing.len(), 6);
    assert_eq!(
        doing[0],
        serde_json::json!({"state": "on_cpu", "call": null, "function": "hash",
            "place": "hog.py:7", "samples": 2})
    );
    assert_eq!(doing[5], serde_json::json!({"state": null, "samples": 3}));
    let others = &v["sessions"][0]["blame"][1];
    assert!(others.get("doing").is_none(), "{others}");
    // An interval has its own.
    let interval = model.interval_now();
    let v = parse(line.interval(&interval, &interval.sessions[0]));
    assert_eq!(v["blame"][0]["samples"], 9);
    model.observe(&m);
    let interval = model.interval_now();
    let v = parse(line.interval(&interval, &interval.sessions[0]));
    assert!(v["blame"][0].get("samples").is_none(), "{v}");
}

#[test]
fn an_acknowledgement_pending_is_a_field_of_its_own() {
    let mut m = message(&session(0), 17, &[(Stage::InFlight, Part::Network, 50)]);
    m.ack_pending_ns = 40;
    let mut line = JsonLine::default();
    let v = parse(line.message(&m));
    assert_eq!(v["ack_pending_ns"], 40);
    assert_eq!(cell_sum(&v["matrix"]), 50);
    let mut model = Model::at_zero();
    model.observe(&m);
    model.observe(&m);
    let interval = model.interval_now();
    let v = parse(line.interval(&interval, &interval.sessions[0]));
    assert_eq!(v["ack_pending_ns"], 80);
    let v = parse(line.summary(&model.summary_now()));
    assert_eq!(v["sessions"][0]["ack_pending_ns"], 80);
}

#[test]
fn intervals_and_summary_read_back() {
    let mut model = Model::at_zero();
    let s = session(0);
    for seq in 0..10 {
        model.observe(&message(
            &s,
            seq,
            &[(Stage::HeldBack, Part::Throttle, 1_000)],
        ));
    }
    let coarse = message(&s, 10, &[(Stage::HeldBack, Part::Throttle, 900_000_000)]);
    model.observe(&narrowed(coarse, [100, 130]));
    model.exclude(&s, ExclusionReason::NoSendingTime);
    model.health_mut().lose("ring_full", 3);
    let health = model.health_mut();
    health.probes.push(switch_cost(5, 300));
    let missing = unavailable("throttle", "no \"field\"");
    health.capabilities.push(missing);
    let interval = model.interval_now();
    let mut line = JsonLine::default();
    let v = parse(line.interval(&interval, &interval.sessions[0]));
    assert_eq!(v["type"], "interval");
    assert_eq!(v["age_ns"], 900_010_000);
    assert_eq!(cell_sum(&v["matrix"]), 900_010_000);
    assert_eq!(v["uncertainty_ns"], 1_000_000_000);
    assert_eq!(v["narrowed"]["messages"], 1);
    assert_eq!(v["narrowed"]["age_min_ns"], 770_000_000);
    assert_eq!(v["narrowed"]["age_max_ns"], 800_000_000);
    assert_eq!(v["narrowed"]["widest_ns"], 30_000_000);
    assert_eq!(v["excluded"]["no_sending_time"], 1);
    // All of that age may be the stamp's whole second.
    assert_eq!(v["verdict"]["causes"][0], "healthy");
    assert!(
        v["verdict"]["sentence"]
            .as_str()
            .is_some_and(|text| text.contains("p99"))
    );
    assert!(v["verdict"]["drained_per_s"].is_number());
    assert!(v["verdict"]["age_ns"].is_number());
    assert_eq!(v["what_if"]["without_throttle"]["max_ns"], 0);
    assert_eq!(v["what_if"]["without_lock"], v["what_if"]["as_it_was"]);
    let v = parse(line.agent(&interval).expect("there are losses"));
    assert_eq!(v["lost"]["ring_full"], 3);
    assert!(line.agent(&model.interval_now()).is_none());
    let v = parse(line.summary(&model.summary_now()));
    assert_eq!(v["type"], "summary");
    assert_eq!(v["sessions"][0]["messages"], 11);
    assert_eq!(v["sessions"][0]["session"]["tid"], 412);
    assert_eq!(v["sessions"][0]["verdict"]["causes"][0], "healthy");
    assert!(v["what_if_assumptions"].is_string());
    assert_eq!(v["health"]["lost"]["ring_full"], 3);
    assert_eq!(v["health"]["probes"][0]["run_time_ns"], 300);
    assert_eq!(
        v["health"]["capabilities"]["throttle"]["absent"],
        "no \"field\""
    );
}

/// Not a test of correctness: `cargo test --release -- --ignored --nocapture lines_a_second`.
#[test]
#[ignore = "a measurement"]
fn lines_a_second() {
    let m = message(
        &session(0),
        1_234_567,
        &[
            (Stage::InFlight, Part::Network, 123_456),
            (Stage::HeldBack, Part::LockWait, 1_123_456_789),
            (Stage::Queued, Part::LockWait, 5_123_456_789),
            (Stage::Queued, Part::RunQueue, 123_456),
            (Stage::Queued, Part::OnCpu, 123_456),
            (Stage::InApp, Part::OnCpu, 23_456),
            (Stage::InApp, Part::LockWait, 5_123_456),
        ],
    );
    let (mut line, mut model) = (JsonLine::default(), Model::at_zero());
    let rounds = 1_000_000;
    let started = Instant::now();
    let bytes: usize = (0..rounds).map(|_| line.message(&m).len()).sum();
    let json = started.elapsed();
    let started = Instant::now();
    (0..rounds).for_each(|_| model.observe(&m));
    let observed = started.elapsed();
    println!(
        "{:.0} JSON lines/s of {} bytes; {:.0} messages/s observed",
        f64::from(rounds) / json.as_secs_f64(),
        bytes / rounds as usize,
        f64::from(rounds) / observed.as_secs_f64()
    );
}

/// Breaks a line up by its brackets and commas, in the order of its fields.
fn indented(line: &[u8]) -> String {
    let mut text = String::new();
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut previous = ' ';
    for c in String::from_utf8(line.to_vec())
        .expect("UTF-8")
        .trim_end()
        .chars()
    {
        let new_line = !in_string
            && (matches!(previous, '{' | '[' | ',') && !matches!(c, '}' | ']')
                || matches!(c, '}' | ']') && !matches!(previous, '{' | '['));
        if !in_string && matches!(c, '}' | ']') {
            depth -= 1;
        }
        if new_line {
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
        }
        if !in_string && matches!(c, '{' | '[') {
            depth += 1;
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
        previous = c;
        text.push(c);
    }
    text
}

/// Golden files of one line of each type: fields and their order are a contract.
#[test]
fn lines_of_each_type() {
    let mut model = incident();
    incident_second(&mut model, 13);
    incident_samples(&mut model);
    model.health_mut().lose("ring_full", 3);
    model.health_mut().anomaly("switch_rebuilt", 1);
    let missing = unavailable("throttle", "no \"field\"");
    model.health_mut().capabilities.push(missing);
    let interval = model.take_interval(at(13));
    let mut line = JsonLine::default();
    let m = message(
        &session(0),
        17,
        &[
            (Stage::Queued, Part::LockWait, 5),
            (Stage::InApp, Part::OnCpu, 2),
        ],
    );
    insta::assert_snapshot!("message", indented(line.message(&m)));
    insta::assert_snapshot!(
        "interval",
        indented(line.interval(&interval, &interval.sessions[0]))
    );
    insta::assert_snapshot!("agent", indented(line.agent(&interval).expect("losses")));
    insta::assert_snapshot!("summary", indented(line.summary(&model.summary(at(13)))));
}
