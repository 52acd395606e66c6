//! What the replay predicts, beside what a run with the cause really taken out measures.

use std::time::Duration;

use lab::cgroup::Cgroup;
use lab::{cpu, venue};
use serde_json::Value;

use live::{Bench, Run, observe, one_at_a_time, rival};

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

/// Messages in bursts to a handler that takes a millisecond for each: what is left of the ages once
/// the cause is gone is work in a queue, which a busy machine changes little.
fn bursts() -> venue::VenueOptions {
    venue::VenueOptions {
        burst: 20,
        ..venue::VenueOptions::of(300.0, 1200)
    }
}

const WORK: [&str; 2] = ["--work-us", "1000"];

fn run(more: &[&str]) -> Run {
    observe(Bench::with(bursts(), &[&WORK, more].concat()))
}

/// The scenario helps as no other one does, and its 99th percentile is within a factor of two of
/// the cure's.
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
    assert!(
        predicted <= 2 * measured && measured <= 2 * predicted,
        "{predicted} ns predicted, {measured} ns measured, {was} ns before"
    );
    assert!(predicted * 10 < was * 9, "{predicted} ns of {was} ns");
    for other in SCENARIOS {
        let more_cpu =
            other == "more_cpu" && ["without_throttle", "without_run_queue"].contains(&scenario);
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
    let ill = run(&["--inject", "mutex", "--hold-us", "20000"]);
    named(&ill, "starved_by_lock");
    predicts(&ill, "without_lock", &run(&[]));
}

#[test]
fn a_quota_raised_is_predicted() {
    let _guard = one_at_a_time();
    let cpu = cpu::allowed()[0].to_string();
    let run = |quota_ms| {
        let period = Duration::from_millis(100);
        let group = Cgroup::with_quota(Duration::from_millis(quota_ms), period)
            .expect("a cgroup with a quota");
        let bench = Bench::with(bursts(), &[&WORK[..], &["--cpu", &cpu]].concat());
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
    let ill = run(&["--inject", "pipe", "--hold-us", "5000"]);
    named(&ill, "slow_sink");
    predicts(&ill, "without_blocked", &run(&[]));
}

#[test]
fn a_faster_handler_is_predicted() {
    let _guard = one_at_a_time();
    let run = |work_us| observe(Bench::with(bursts(), &["--work-us", work_us]));
    predicts(&run("4000"), "faster_handler", &run("2000"));
}

#[test]
fn a_cpu_without_rivals_is_predicted() {
    let _guard = one_at_a_time();
    let cpu = cpu::allowed()[0];
    let pinned = ["--cpu", &cpu.to_string()];
    let rivals = [rival(cpu), rival(cpu)];
    let ill = run(&pinned);
    drop(rivals);
    named(&ill, "run_queue_pressure");
    predicts(&ill, "without_run_queue", &run(&pinned));
}
