//! The expositions of models.

mod document;
pub(in crate::outputs) mod reader;

use std::sync::Arc;

use proptest::prelude::*;
use prost::Message as _;

use super::{group::CHARGED, wire::MetricFamily, *};
use crate::{
    domain::{
        CgroupLevel, CgroupUse, Charge, Container, Culprit, CulpritId, DiscoveryCounts,
        ExclusionReason, KubeHealth, Message, Moment, OwnUse, Part, Pod, ProbeCost, ProcessInfo,
        SessionId, Stage, Update,
        fixtures::{any_message, message, session},
    },
    outputs::metrics::tests::reader::{Exposed, parse},
};

const SECOND: u64 = 1_000_000_000;

fn exposed(model: Model) -> (String, Exposed) {
    expose(&Arc::new(Mutex::new(model)))
}

fn expose(model: &Arc<Mutex<Model>>) -> (String, Exposed) {
    let exposition = Exposition::new(Arc::clone(model), Account::new(MAX_SERIES, "node-1"));
    let text = String::from_utf8(exposition.render(Format::OpenMetrics)).expect("UTF-8");
    let parsed = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    (text, parsed)
}

fn families(model: &Arc<Mutex<Model>>) -> Vec<MetricFamily> {
    let exposition = Exposition::new(Arc::clone(model), Account::new(MAX_SERIES, "node-1"));
    let bytes = exposition.render(Format::Protobuf);
    let mut bytes = bytes.as_slice();
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut bytes).expect("a family"));
    }
    families
}

fn seconds(ns: i128) -> f64 {
    ns as f64 / 1e9
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

fn port(n: u16) -> String {
    session(n).local.port().to_string()
}

fn at(seconds: u64) -> Moment {
    Moment {
        monotonic_ns: seconds * SECOND,
        utc_ns: (seconds * SECOND) as i64,
    }
}

fn check(all: &[Message], n: u16) -> Result<(), TestCaseError> {
    let mut model = Model::at_zero();
    all.iter().for_each(|m| model.observe(m));
    let (_, parsed) = exposed(model);
    let port = port(n);
    let of = [("port", port.as_str())];
    let fresh: Vec<_> = all.iter().filter(|m| m.session == session(n)).collect();
    let resends = fresh.iter().filter(|m| m.poss_dup).count();
    if fresh.is_empty() {
        return Ok(());
    }
    let fresh: Vec<_> = fresh.into_iter().filter(|m| !m.poss_dup).collect();
    let kind = |kind| parsed.sum("tag52_messages_total", &[of[0], ("kind", kind)]);
    prop_assert_eq!(kind("fresh"), fresh.len() as f64);
    prop_assert_eq!(kind("resend"), resends as f64);
    let count = parsed.sum("tag52_message_age_seconds_count", &of);
    prop_assert_eq!(count, fresh.len() as f64);
    let count = parsed.sum("tag52_resend_age_seconds_count", &of);
    prop_assert_eq!(count, resends as f64);
    let cells = parsed.sum("tag52_age_seconds_total", &of);
    let negative = parsed.sum("tag52_negative_in_flight_seconds_total", &of);
    let age: i128 = fresh.iter().map(|m| i128::from(m.split.age_ns())).sum();
    prop_assert!(close(cells - negative, seconds(age)));
    let age: i128 = fresh
        .iter()
        .map(|m| i128::from(m.split.age_ns().max(0)))
        .sum();
    prop_assert!(close(
        parsed.sum("tag52_message_age_seconds_sum", &of),
        seconds(age)
    ));
    for stage in Stage::ALL {
        let of = [of[0], ("stage", stage.name())];
        let sum = parsed.sum("tag52_stage_seconds_sum", &of);
        prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
    }
    for part in CHARGED {
        let of = [of[0], ("part", part.name())];
        let sum = parsed.sum("tag52_blame_seconds_total", &of);
        prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
    }
    for part in Part::ALL {
        let of = [of[0], ("part", part.name())];
        let sum = parsed.sum("tag52_part_seconds_sum", &of);
        prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
        let count = parsed.sum("tag52_part_seconds_count", &of);
        prop_assert_eq!(count, fresh.len() as f64);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn metrics_parse_and_agree_with_the_messages(
        all in prop::collection::vec((0_u16..3).prop_flat_map(any_message), 0..20),
    ) {
        for n in 0..3 {
            check(&all, n)?;
        }
    }

    #[test]
    fn protobuf_says_what_the_text_says(
        all in prop::collection::vec((0_u16..3).prop_flat_map(any_message), 0..20),
    ) {
        let mut model = Model::at_zero();
        all.iter().for_each(|m| model.observe(m));
        model.interval_now();
        let model = Arc::new(Mutex::new(model));
        let (text, parsed) = expose(&model);
        let mut series = 0;
        for family in families(&model) {
            let name = family.name();
            for metric in &family.metric {
                let labels: Vec<_> = metric.label.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
                let value = metric.gauge.and_then(|g| g.value);
                if let Some(value) = value.or(metric.counter.as_ref().and_then(|c| c.value)) {
                    prop_assert_eq!(parsed.value(name, &labels), Some(value), "{} {:?}\n{}", name, labels, text);
                    series += 1;
                }
                if let Some(histogram) = &metric.histogram {
                    series += histogram.bucket.len() + 2;
                    let of = |suffix: &str| parsed.value(&format!("{name}{suffix}"), &labels);
                    prop_assert_eq!(of("_count"), histogram.sample_count.map(|n| n as f64));
                    prop_assert_eq!(of("_sum"), histogram.sample_sum);
                    for bucket in &histogram.bucket {
                        let bound = bucket.upper_bound();
                        let le = if bound.is_infinite() { "+Inf".to_owned() } else { format!("{bound:?}") };
                        let mut labels = labels.clone();
                        labels.push(("le", &le));
                        let value = parsed.value(&format!("{name}_bucket"), &labels);
                        prop_assert_eq!(value, bucket.cumulative_count.map(|n| n as f64));
                    }
                    // Native, and the same messages.
                    let mut count = 0;
                    let mut sum = histogram.zero_count.expect("native");
                    for delta in &histogram.positive_delta {
                        count += delta;
                        prop_assert!(count >= 0);
                        sum += count as u64;
                    }
                    prop_assert_eq!(Some(sum), histogram.sample_count);
                    let length: u32 = histogram.positive_span.iter().map(|s| s.length()).sum();
                    prop_assert_eq!(length as usize, histogram.positive_delta.len());
                    prop_assert!(length <= 160 && !histogram.positive_span.is_empty());
                }
            }
        }
        prop_assert_eq!(series, parsed.len(), "{}", text);
        prop_assert_eq!(parsed.sum("tag52_series", &[]), series as f64);
    }
}

#[test]
fn native_buckets_are_where_the_values_are() {
    let mut model = Model::at_zero();
    // 2^-3 s, inclusive; just above it; 2^3 s.
    for (seq, ns) in [(1, 125_000_000), (2, 125_000_001), (3, 8_000_000_000)] {
        model.observe(&message(
            &session(0),
            seq,
            &[(Stage::Queued, Part::LockWait, ns)],
        ));
    }
    let families = families(&Arc::new(Mutex::new(model)));
    let ages = families
        .iter()
        .find(|f| f.name() == "tag52_message_age_seconds");
    let histogram = ages
        .and_then(|f| f.metric[0].histogram.clone())
        .expect("ages");
    assert_eq!((histogram.schema(), histogram.zero_count()), (3, 0));
    let spans: Vec<_> = histogram
        .positive_span
        .iter()
        .map(|s| (s.offset(), s.length()))
        .collect();
    assert_eq!(spans, [(-24, 2), (46, 1)]);
    assert_eq!(histogram.positive_delta, [1, 0, 0]);
    let seqs: Vec<_> = histogram
        .exemplars
        .iter()
        .map(|e| e.label[0].value.as_str())
        .collect();
    assert_eq!(seqs, ["2", "3"]);
}

#[test]
fn the_blame_of_a_part_sums_to_it_and_names_who_is_worth_it() {
    let mut model = Model::at_zero();
    for id in 1..=2 {
        let cgroup = format!("/{id}");
        let culprit = Arc::new(Culprit::Quota { cgroup });
        model.apply(Moment::default(), &Update::Culprit(CulpritId(id), culprit));
    }
    let mut m = message(&session(0), 1, &[(Stage::Queued, Part::Throttle, 1_000)]);
    let charge = |id, ns| Charge {
        part: Part::Throttle,
        culprit: CulpritId(id),
        ns,
        held_back_ns: 0,
    };
    m.charges = vec![charge(1, 900), charge(2, 10)];
    model.observe(&m);
    let (text, parsed) = exposed(model);
    let of = |culprit| {
        let labels = [("part", "throttle"), ("culprit", culprit)];
        parsed.sum("tag52_blame_seconds_total", &labels) * 1e9
    };
    assert!(close(of("the quota of /1"), 900.0), "{text}");
    assert!(close(of("other"), 100.0), "{text}");
    assert!(!text.contains("the quota of /2"), "{text}");
}

/// A model with something of everything.
pub(in crate::outputs) fn busy_model() -> Model {
    let mut model = Model::at_zero();
    let mut id = (*session(0)).clone();
    id.sender = "A \"quoted\" \\ name\nof two lines".to_owned();
    let id: Arc<SessionId> = Arc::new(id);
    model.apply(
        at(1),
        &Update::Process(Box::new(ProcessInfo {
            pid: id.pid,
            inner_pid: 7,
            comm: "engine".to_owned(),
            container: Some(Container {
                id: "0123456789abcdef".to_owned(),
                ..Container::default()
            }),
            pod: Some(Pod {
                uid: "u-1".to_owned(),
                namespace: Some("desk".to_owned()),
                name: Some("drop-0".to_owned()),
                ..Pod::default()
            }),
            cpu_request_millis: Some(250),
            ..ProcessInfo::default()
        })),
    );
    let level = |path: &str, quota_ns, used| CgroupLevel {
        path: path.to_owned(),
        quota_ns,
        period_ns: 100_000_000,
        usage_ns: Some(used),
        periods: 10,
        throttled_periods: 3,
        throttled_ns: 5_000_000_000,
    };
    model.apply(
        at(1),
        &Update::Cgroup(Box::new(CgroupUse {
            pid: id.pid,
            levels: vec![
                level("/pod/container", Some(200_000_000), 7 * SECOND),
                level("/pod", Some(50_000_000), 9 * SECOND),
                level("/", None, 99 * SECOND),
            ],
        })),
    );
    for seq in 1..20 {
        let age = 5_000_000 * seq as i64;
        let mut m = message(
            &id,
            seq,
            &[
                (Stage::Queued, Part::LockWait, age),
                (Stage::InApp, Part::OnCpu, 1_000),
            ],
        );
        m.handed_off_ns += 1_000_000 * seq as i64;
        m.sent.utc_ns += 1_000_000 * seq as i64;
        model.observe(&m);
    }
    let mut resend = message(&id, 1, &[(Stage::InFlight, Part::Network, 60_000_000_000)]);
    resend.poss_dup = true;
    model.observe(&resend);
    model.exclude(&id, ExclusionReason::NoSendingTime);
    let health = model.health_mut();
    health.lose("ring_full", 2);
    health.anomaly("negative_interval", 1);
    health.probes.push(ProbeCost {
        name: "sched_switch".to_owned(),
        runs: 5,
        run_time_ns: 300,
    });
    health.capabilities.push(crate::domain::Capability {
        name: "arrivals".to_owned(),
        availability: crate::domain::Availability::Observed("tp_btf sk_data_ready".to_owned()),
    });
    health.discovery = Some(DiscoveryCounts {
        fix: 1,
        other: 2,
        not_selected: 3,
    });
    health.kube = Some(KubeHealth {
        up: true,
        pods: 4,
        errors: vec![("forbidden".to_owned(), 1)],
    });
    health.own = Some(OwnUse {
        resident_bytes: 1 << 20,
        cpu_ns: SECOND,
        open_fds: 9,
        max_fds: Some(1024),
    });
    model.take_interval(at(2));
    model
}

#[test]
fn every_metric_has_its_series_and_its_source() {
    let account = Account::new(1234, "node-1");
    account.export();
    account.exported(Outcome::Sent);
    let exposition = Exposition::new(Arc::new(Mutex::new(busy_model())), account);
    let text = String::from_utf8(exposition.render(Format::OpenMetrics)).expect("UTF-8");
    let parsed = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    for metric in contract::METRICS.iter().copied().flatten() {
        let name = match metric.kind {
            Kind::Histogram(_) => format!("{}_bucket", metric.name),
            _ => metric.name.to_owned(),
        };
        assert!(parsed.has(&name), "{name} is missing in\n{text}");
    }
    let sum = |name: &str, labels: &[(&str, &str)]| parsed.sum(name, labels);
    let sender = ("sender", "A \"quoted\" \\ name\nof two lines");
    let cell = [sender, ("part", "lock_wait"), ("stage", "queued")];
    assert!(close(sum("tag52_age_seconds_total", &cell), 0.95));
    assert_eq!(
        sum(
            "tag52_messages_excluded_total",
            &[("reason", "no_sending_time")]
        ),
        1.0
    );
    let place = [
        ("pid", "411"),
        ("namespace", "desk"),
        ("pod", "drop-0"),
        ("container", "0123456789ab"),
    ];
    // The tightest limit is the pod's.
    assert_eq!(sum("tag52_cpu_limit_cores", &place), 0.5);
    assert_eq!(sum("tag52_cpu_usage_seconds_total", &place), 9.0);
    assert_eq!(sum("tag52_cpu_throttled_seconds_total", &place), 5.0);
    assert_eq!(sum("tag52_cpu_request_cores", &place), 0.25);
    let who = [
        ("comm", "engine"),
        ("container_pid", "7"),
        ("pod_uid", "u-1"),
        ("container_id", "0123456789abcdef"),
        ("node", "node-1"),
    ];
    assert_eq!(
        sum("tag52_session_info", &[&place[..], &who[..]].concat()),
        1.0
    );
    assert_eq!(
        sum("tag52_verdict", &[("cause", "starved_by_lock")]),
        1.0,
        "{text}"
    );
    assert!(sum("tag52_age_growth_ratio", &[]) > 0.5, "{text}");
    assert!(
        sum("tag52_what_if_age_seconds", &[("scenario", "lock_wait")])
            < sum("tag52_what_if_age_seconds", &[("scenario", "none")])
    );
    assert_eq!(sum("tag52_max_latency_seconds", &[]), 120.0);
    assert_eq!(
        (sum("tag52_processes", &[]), sum("tag52_threads", &[])),
        (1.0, 1.0)
    );
    assert_eq!(
        sum(
            "tag52_discovery_streams_total",
            &[("outcome", "not_selected")]
        ),
        3.0
    );
    assert_eq!(
        (sum("tag52_kube_up", &[]), sum("tag52_kube_pods", &[])),
        (1.0, 4.0)
    );
    assert_eq!(sum("tag52_series_limit", &[]), 1234.0);
    assert_eq!(sum("tag52_series", &[]), parsed.len() as f64);
    assert_eq!(sum("tag52_otlp_exports_total", &[("outcome", "sent")]), 1.0);
    assert!(
        text.contains(" # {seq=\"19\",tid=\"412\"} 0.095001 1700000000.114\n"),
        "{text}"
    );
    let most = contract::series_per_session() + contract::series_of_the_agent();
    assert!(parsed.len() as u64 <= most);
}

#[test]
fn the_older_text_says_the_same_without_what_it_lacks() {
    let model = Arc::new(Mutex::new(busy_model()));
    let account = Account::new(MAX_SERIES, "node-1");
    let text = Exposition::new(Arc::clone(&model), account).render(Format::Text);
    let text = String::from_utf8(text).expect("UTF-8");
    let (newer, _) = expose(&model);
    // In any order, of the samples as of the bound among a bucket's labels.
    let sample = |line: &str| {
        let line = line.split(" # ").next().unwrap_or(line);
        let bound = line.find("le=\"").map(|at| &line[at..]);
        let bound = bound.and_then(|from| Some(&from[..=4 + from[4..].find('"')?]));
        let rest = bound.map_or_else(|| line.to_owned(), |bound| line.replace(bound, ""));
        let rest = rest.replace("{,", "{").replace(",}", "}");
        let (series, value) = rest.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let bound = bound.unwrap_or_default().to_owned();
        (series.to_owned(), bound, value.to_bits())
    };
    let samples = |text: &str| {
        let lines = text.lines().filter(|l| !l.starts_with('#'));
        let mut samples: Vec<_> = lines.map(sample).collect();
        samples.sort();
        samples
    };
    assert_eq!(samples(&text), samples(&newer));
    assert!(text.contains("# TYPE tag52_age_seconds_total counter\n"));
    assert!(text.contains("# TYPE tag52_build_info gauge\n"));
    assert!(!text.contains("# UNIT") && !text.contains("# EOF") && !text.contains(" # {"));
    assert!(newer.contains("# TYPE tag52_age_seconds counter\n# UNIT tag52_age_seconds seconds\n"));
}

#[test]
fn a_reconnect_continues_the_series_on_either_side() {
    // An initiator: its own port is another one each time. An acceptor: its counterparty's is.
    for acceptor in [false, true] {
        // Also where the listening port is one that Linux could have given.
        for listens in [5001, 45_000] {
            let mut model = Model::at_zero();
            for n in 0..200_u16 {
                let mut id = (*session(0)).clone();
                let (ours, theirs) = if acceptor {
                    (listens, 40_000 + n)
                } else {
                    (40_000 + n, listens)
                };
                id.local.set_port(ours);
                id.remote.set_port(theirs);
                let id = Arc::new(id);
                model.observe(&message(&id, 1, &[(Stage::InApp, Part::OnCpu, 1_000)]));
                model.end_session(&id);
            }
            let (text, parsed) = exposed(model);
            let name = "tag52_messages_total";
            let labels = [("kind", "fresh"), ("sender", "VENUE")];
            assert_eq!(parsed.sum(name, &labels), 200.0, "{text}");
            // An acceptor's first connection may be taken for an initiator's.
            let most = if acceptor && listens == 45_000 { 2 } else { 1 };
            assert!(parsed.count(name, &labels) <= most, "{text}");
        }
    }
}

#[test]
fn a_thousand_sessions_stay_bounded() {
    let mut model = Model::at_zero();
    for n in 0..1000 {
        model.observe(&message(&session(n), 1, &[(Stage::InApp, Part::OnCpu, 1)]));
    }
    let (_, parsed) = exposed(model);
    assert_eq!(parsed.sum("tag52_messages_total", &[]), 1000.0);
    assert_eq!(
        parsed.sum("tag52_messages_total", &[("sender", "other")]),
        744.0
    );
    assert_eq!(parsed.sum("tag52_sessions", &[]), 257.0);
    assert_eq!(parsed.sum("tag52_sessions_folded_total", &[]), 744.0);
}

/// What a scraper sees of sessions that come, talk, end and come back.
#[derive(Clone, Copy, Debug)]
enum Step {
    Message(u16),
    End(u16),
    Pass(u64),
    Scrape,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_u16).prop_map(Step::Message),
        2 => (0..12_u16).prop_map(Step::End),
        1 => prop::sample::select(vec![1_u64, 60, 130]).prop_map(Step::Pass),
        3 => Just(Step::Scrape),
    ]
}

/// Counters that fell from one scrape to the next.
fn fallen(before: &Exposed, after: &Exposed) -> Vec<String> {
    let mut fallen = Vec::new();
    for (name, labels, value) in before.counters() {
        if after.value_of(name, labels).is_some_and(|now| now < value) {
            fallen.push(format!("{name} {labels:?} from {value}"));
        }
    }
    fallen.truncate(3);
    fallen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_counter_falls_and_the_limit_holds(steps in prop::collection::vec(step(), 0..80), room in 1..6_usize) {
        let mut model = Model::at_zero();
        model.set_max_series(room);
        let model = Arc::new(Mutex::new(model));
        let mut now = 0;
        let mut seq = 0;
        let mut told = 0;
        let mut before: Option<Exposed> = None;
        for step in steps {
            let mut of = model.lock().expect("no panic");
            match step {
                Step::Message(n) => {
                    seq += 1;
                    told += 1;
                    // Each port of three connections in turn.
                    let mut id = (*session(n / 3)).clone();
                    id.remote.set_port(40_000 + n);
                    of.apply(at(now), &Update::Message(Box::new(message(&Arc::new(id), seq, &[(Stage::Queued, Part::Blocked, 1_000)]))));
                }
                Step::End(n) => {
                    let mut id = (*session(n / 3)).clone();
                    id.remote.set_port(40_000 + n);
                    of.apply(at(now), &Update::SessionEnded(Arc::new(id)));
                }
                Step::Pass(seconds) => {
                    now += seconds;
                    of.take_interval(at(now));
                }
                Step::Scrape => {
                    drop(of);
                    let (_, after) = expose(&model);
                    if let Some(before) = &before {
                        prop_assert_eq!(fallen(before, &after), Vec::<String>::new());
                    }
                    let sessions = after.count("tag52_messages_total", &[("kind", "fresh")]);
                    prop_assert!(sessions <= room + 1, "{} sessions where there is room for {}", sessions, room);
                    // Nobody counts twice.
                    let messages = after.sum("tag52_messages_total", &[]);
                    prop_assert!(messages <= f64::from(told), "{} of {}", messages, told);
                    before = Some(after);
                }
            }
        }
    }
}

#[test]
fn a_churn_of_thousands_stays_flat() {
    let room = sessions_within(5_000).expect("room");
    let mut model = Model::at_zero();
    model.set_max_series(room);
    let model = Arc::new(Mutex::new(model));
    let mut before: Option<Exposed> = None;
    let (mut most, mut sizes) = (0, Vec::new());
    for n in 0..4000_u32 {
        let mut of = model.lock().expect("no panic");
        let now = at(u64::from(n));
        // Twenty at a time, each of a hundred seconds, in a process of its own.
        let mut id = (*session((n % 20) as u16)).clone();
        id.pid = 1000 + n;
        let cells = [(Stage::Queued, Part::Blocked, 1_000_000 + i64::from(n))];
        of.apply(
            now,
            &Update::Message(Box::new(message(&Arc::new(id.clone()), 1, &cells))),
        );
        if let Some(pid) = (1000 + n).checked_sub(20).filter(|&pid| pid >= 1000) {
            id.pid = pid;
            id.local
                .set_port(session(((n - 20) % 20) as u16).local.port());
            of.apply(now, &Update::SessionEnded(Arc::new(id)));
            of.apply(now, &Update::ProcessEnded(pid));
        }
        if n % 100 == 99 {
            of.take_interval(now);
            drop(of);
            let (text, after) = expose(&model);
            if let Some(before) = &before {
                assert_eq!(fallen(before, &after), Vec::<String>::new());
            }
            most = most.max(after.len());
            sizes.push(text.len());
            before = Some(after);
        }
    }
    assert!(most <= 5_000, "{most} series");
    let (half, whole) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!(whole.abs_diff(half) < half / 10, "{sizes:?}");
}

#[test]
fn sessions_fold_in_the_order_in_which_they_come() {
    let mut model = Model::at_zero();
    model.set_max_series(2);
    for _ in 0..2 {
        for n in 0..4 {
            model.observe(&message(&session(n), 1, &[(Stage::InApp, Part::OnCpu, 1)]));
        }
    }
    let shown = |model: &Model| {
        let sessions = model.sessions_with_metrics();
        sessions.iter().map(|s| s.labels().3).collect::<Vec<_>>()
    };
    assert_eq!(shown(&model), [Some(5002), Some(5003), None]);
    // There is room again: for whoever comes, not for those who are folded.
    model.end_session(&session(0));
    model.set_now(at(121));
    model.observe(&message(&session(2), 2, &[(Stage::InApp, Part::OnCpu, 1)]));
    assert_eq!(shown(&model), [Some(5003), None]);
    model.observe(&message(&session(9), 2, &[(Stage::InApp, Part::OnCpu, 1)]));
    assert_eq!(shown(&model), [Some(5003), Some(5011), None]);
    assert_eq!(model.sessions_without_series(), 2);
    let (_, parsed) = exposed(model);
    let other = parsed.sum("tag52_messages_total", &[("sender", "other")]);
    assert_eq!(other, 5.0);
}

#[test]
fn a_limit_without_room_says_how_much_it_takes() {
    let least = sessions_within(10).expect_err("no room");
    assert_eq!(sessions_within(least), Ok(1));
    assert!(sessions_within(MAX_SERIES).is_ok_and(|sessions| sessions >= 64));
}

/// Of a release build: `cargo test --release -p tag52 --lib the_cost_of_a_scrape -- --ignored
/// --nocapture`.
#[test]
#[ignore = "tells what a scrape costs, tests nothing"]
fn the_cost_of_a_scrape() {
    for sessions in [1, 64, 256] {
        let mut model = Model::at_zero();
        for n in 0..sessions {
            for seq in 0..2_000 {
                let cells = [
                    (Stage::InFlight, Part::Network, 100_000 + 977 * seq as i64),
                    (
                        Stage::Queued,
                        Part::LockWait,
                        2_000_000 + 77_777 * seq as i64,
                    ),
                    (Stage::InApp, Part::OnCpu, 20_000 + 13 * seq as i64),
                ];
                model.observe(&message(&session(n), seq, &cells));
            }
        }
        model.interval_now();
        let model = Arc::new(Mutex::new(model));
        let exposition = Exposition::new(Arc::clone(&model), Account::default());
        let started = std::time::Instant::now();
        for _ in 0..5 {
            drop(Snapshot::of(&model, Account::default()));
        }
        let copied = started.elapsed() / 5;
        for format in [Format::OpenMetrics, Format::Text, Format::Protobuf] {
            let started = std::time::Instant::now();
            let bytes = exposition.render(format).len();
            println!(
                "{sessions} sessions, {format:?}: {bytes} bytes in {:?}, the lock held for at most {copied:?}",
                started.elapsed()
            );
        }
    }
}

/// An oracle that is not ours, where it is installed.
#[test]
fn promtool_accepts_the_metrics() {
    use std::{io::Write as _, process::Stdio};
    let model = Arc::new(Mutex::new(busy_model()));
    let account = Account::new(MAX_SERIES, "node-1");
    // Its `check metrics` reads the older text format only.
    let text = Exposition::new(Arc::clone(&model), account).render(Format::Text);
    let promtool = std::env::var_os("TAG52_PROMTOOL").filter(|path| !path.is_empty());
    let child = std::process::Command::new(promtool.unwrap_or_else(|| "promtool".into()))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!ci, "CI=true, and there is no promtool");
        println!("promtool is not installed: not checked");
        return;
    };
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(&text).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
