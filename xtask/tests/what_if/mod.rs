//! What the replay predicts, beside what a run with the cause really taken out measures.

use std::time::Duration;

use serde_json::Value;
use xtask::lab::cgroup::Cgroup;
use xtask::lab::cpu;

use super::common::{Bench, one_at_a_time};
use super::{Run, observe};

const SCENARIOS: [&str; 6] = [
    "without_lock",
    "without_throttle",
    "without_run_queue",
    "without_blocked",
    "faster_handler",
    "more_cpu",
];

/// The 99th percentile of a replay, nanoseconds.
fn p99(run: &Run, scenario: &str) -> i64 {
    let what_if: &Value = &run.summary["sessions"][0]["what_if"];
    let ns = what_if[scenario]["p99_ns"].as_i64();
    ns.unwrap_or_else(|| panic!("no {scenario} in {what_if}"))
}

/// The scenario helps as no other one does, and its 99th percentile is within a factor of two of the cure's. What is
/// below a twentieth of the ill run's is noise of the machine.
fn predicts(ill: &Run, scenario: &str, cure: &Run) {
    let (was, predicted, measured) = (
        p99(ill, "measured"),
        p99(ill, scenario),
        p99(cure, "measured"),
    );
    let replayed = p99(ill, "as_it_was");
    println!(
        "{scenario}: p99 {was} ns (replayed {replayed}), predicted {predicted}, measured {measured}"
    );
    println!(
        "{} | {}",
        ill.summary["sessions"][0]["verdict"], ill.summary["sessions"][0]["what_if"]["lines"]
    );
    assert!(
        replayed * 2 > was && was * 2 > replayed,
        "with nothing taken out {replayed} ns instead of {was} ns"
    );
    let noise = was / 20;
    assert!(
        predicted <= 2 * measured + noise && measured <= 2 * predicted + noise,
        "{predicted} ns predicted, {measured} ns measured, {was} ns before"
    );
    assert!(predicted * 2 < was, "{predicted} ns of {was} ns");
    for other in SCENARIOS {
        let more_cpu = other == "more_cpu" && scenario == "without_throttle";
        assert!(
            more_cpu || p99(ill, other) >= predicted,
            "{other} is said to help more than {scenario}"
        );
    }
}

fn named(run: &Run, cause: &str) {
    let verdict = &run.summary["sessions"][0]["verdict"];
    assert_eq!(verdict["causes"][0], cause, "{verdict}");
}

#[test]
fn a_mutex_taken_out_is_predicted() {
    let _guard = one_at_a_time();
    let victim = ["--work-us", "300", "--inject", "mutex", "--hold-us", "5000"];
    let ill = observe(Bench::start(300.0, 900, &victim));
    named(&ill, "starved_by_lock");
    let cure = observe(Bench::start(300.0, 900, &victim[..2]));
    predicts(&ill, "without_lock", &cure);
}

#[test]
fn a_quota_raised_is_predicted() {
    let _guard = one_at_a_time();
    let cpu = cpu::allowed()[0].to_string();
    let run = |quota_ms| {
        let period = Duration::from_millis(100);
        let group = Cgroup::with_quota(Duration::from_millis(quota_ms), period)
            .expect("a cgroup with a quota");
        let bench = Bench::start(300.0, 900, &["--work-us", "1000", "--cpu", &cpu]);
        let pid = bench.victim.pid();
        group.add(pid).expect("the victim joins the cgroup");
        observe(bench)
    };
    let ill = run(20);
    named(&ill, "throttled");
    predicts(&ill, "without_throttle", &run(100));
}

#[test]
fn a_faster_sink_is_predicted() {
    let _guard = one_at_a_time();
    let victim = ["--work-us", "300", "--inject", "pipe", "--hold-us", "4000"];
    let ill = observe(Bench::start(300.0, 900, &victim));
    named(&ill, "slow_sink");
    let cure = observe(Bench::start(300.0, 900, &victim[..2]));
    predicts(&ill, "without_blocked", &cure);
}
