//! Every metric family has its series, with the figures of its source.

use std::sync::{Arc, Mutex};

use super::{
    super::{
        ExportOutcome, Exposition, ExpositionFormat, MetricKind, OutputStatus,
        families::{FAMILIES, series_of_the_agent, series_per_session},
    },
    busy_model, close, exposed, parse,
};
use crate::{
    domain::{
        Charge, Culprit, CulpritId, Moment, Part, Stage, Update,
        fixtures::{message, session},
    },
    model::Model,
};

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

#[test]
fn every_metric_has_its_series_and_its_source() {
    let status = OutputStatus::new(1234, "node-1");
    status.enable_exports();
    status.record_export(ExportOutcome::Sent);
    let exposition = Exposition::new(Arc::new(Mutex::new(busy_model())), status);
    let text = String::from_utf8(exposition.render(ExpositionFormat::OpenMetrics)).expect("UTF-8");
    let parsed = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    for family in FAMILIES.iter().copied().flatten() {
        let metric = &family.metric;
        let name = match metric.kind {
            MetricKind::Histogram(_) => format!("{}_bucket", metric.name),
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
    let most = series_per_session() + series_of_the_agent();
    assert!(parsed.len() as u64 <= most);
}
