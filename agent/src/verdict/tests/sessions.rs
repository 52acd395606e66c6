//! The verdicts of the sessions of a model.

use std::time::Duration;

use super::{MS, SECOND, after, evidence, stream};
use crate::{
    domain::{CgroupLevel, CgroupUse, Part, Stage, Update},
    model::Model,
    verdict::Cause,
};

#[test]
fn the_flow_is_that_of_a_queue() {
    // Handed off 100 a second and growing by half a second a second: sent 200 a second.
    let e = evidence(&[(Stage::Queued, Part::LockWait, 10 * SECOND)], 0.5);
    let flow = e.flow;
    let about = |a: f64, b: f64| (a - b).abs() < 0.02 * b;
    assert!(about(flow.drained_per_s, 100.0), "{flow:?}");
    assert!(
        about(flow.arrivals_per_s.expect("known"), 200.0),
        "{flow:?}"
    );
    assert!(about(flow.age_slope.expect("known"), 0.5), "{flow:?}");
    assert!(
        about(flow.backlog_messages.expect("known") as f64, 2_100.0),
        "{flow:?}"
    );
    assert_eq!(
        flow.backlog_bytes,
        flow.backlog_messages.map(|messages| messages * 250)
    );
    // From 10.5 s at half a second a second.
    assert!(
        about(
            flow.until_max_latency.expect("it grows").as_secs_f64(),
            219.0
        ),
        "{flow:?}"
    );
    let steady = evidence(&[(Stage::Queued, Part::LockWait, 10 * SECOND)], 0.0).flow;
    assert_eq!(steady.until_max_latency, None);
    let late = evidence(&[(Stage::Queued, Part::LockWait, 130 * SECOND)], 0.0).flow;
    assert_eq!(late.until_max_latency, Some(Duration::ZERO));
}

#[test]
fn max_latency_is_what_it_is_set_to() {
    let mut model = Model::at_zero();
    model.set_max_latency(Duration::from_secs(5));
    for m in stream(&[(Stage::Queued, Part::LockWait, 6 * SECOND)], 0.0, 10, 0) {
        model.observe(&m);
    }
    let interval = model.take_interval(after(1));
    let verdict = interval.sessions[0].verdict.as_ref().expect("a verdict");
    assert_eq!(verdict.flow.until_max_latency, Some(Duration::ZERO));
}

#[test]
fn silence_after_old_messages_is_not_healthy() {
    let mut model = Model::at_zero();
    for m in stream(&[(Stage::Queued, Part::LockWait, 6 * SECOND)], 0.0, 10, 0) {
        model.observe(&m);
    }
    model.take_interval(after(1));
    let interval = model.take_interval(after(2));
    let verdict = interval.sessions[0].verdict.as_ref().expect("a verdict");
    assert_eq!(verdict.causes, [Cause::Unknown]);
    assert!(verdict.sentence.contains("stuck"), "{}", verdict.sentence);
    for m in stream(&[(Stage::Queued, Part::LockWait, MS)], 0.0, 10, 100) {
        model.observe(&m);
    }
    model.take_interval(after(3));
    assert_eq!(model.take_interval(after(4)).sessions[0].verdict, None);
}

#[test]
fn the_cgroup_that_ran_out_is_the_limit() {
    let level = |path: &str, quota_ns, usage_ns, throttled_periods| CgroupLevel {
        path: path.to_owned(),
        quota_ns,
        period_ns: 100 * MS as u64,
        usage_ns: Some(usage_ns),
        periods: 10,
        throttled_periods,
        throttled_ns: 0,
    };
    let read = |usage: u64, throttled| CgroupUse {
        pid: 411,
        levels: vec![
            level("/pod/app", Some(200 * MS as u64), usage, 0),
            level("/pod", Some(20 * MS as u64), usage, throttled),
            level("/", None, 9 * usage, 0),
        ],
    };
    let mut model = Model::at_zero();
    let second = SECOND as u64;
    model.apply(after(0), &Update::Cgroup(Box::new(read(0, 0))));
    for m in stream(&[(Stage::Queued, Part::Throttle, 60 * MS)], 0.0, 10, 0) {
        model.observe(&m);
    }
    model.apply(after(1), &Update::Cgroup(Box::new(read(second / 5, 7))));
    let interval = model.take_interval(after(1));
    let verdict = interval.sessions[0].verdict.as_ref().expect("a verdict");
    assert!(
        verdict
            .sentence
            .contains("/pod allows 0.20 cores (20.0ms in 100ms) and ran out of quota in 7 of"),
        "{}",
        verdict.sentence
    );
    let used = verdict
        .evidence
        .iter()
        .any(|fact| fact.contains("0.20 of 0.20 cores (/pod)"));
    assert!(used, "{:?}", verdict.evidence);
    let summary = model.summary(after(1));
    let whole = summary.sessions[0].verdict.as_ref().expect("a verdict");
    assert_eq!(whole.causes, [Cause::Throttled]);
}
