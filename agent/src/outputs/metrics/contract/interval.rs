//! The latest interval, and who the session is.

use super::label;
use crate::{
    outputs::metrics::metric::{Metric, Source, Unit},
    verdict::Cause,
    what_if::Scenario,
};

const SILENT: &str = "when the latest interval had no messages; for `other`";

pub(super) static METRICS: [Metric; 9] = [
    Metric::gauge(
        "tag52_verdict",
        "Whether this was a cause of the ages in the latest interval: 1 or 0",
        Source::Session(|g, points| {
            if let Some(verdict) = &g.verdict {
                for cause in Cause::ALL {
                    let named = u64::from(verdict.causes.contains(&cause));
                    points.put_by(&[("cause", cause.name())], named);
                }
            }
        }),
    )
    .by(
        &[label(
            "cause",
            "`healthy`, `network_or_venue_late`, `clock_skew`, `starved_by_lock`, `throttled`, `run_queue_pressure`, `slow_sink`, `slow_handler`, `overloaded`, `unknown`",
        )],
        Cause::ALL.len() as u64,
    )
    .absent(SILENT),
    Metric::gauge(
        "tag52_time_to_max_latency_seconds",
        "Time left until the age reaches MaxLatency at the rate at which it grew in the latest ten seconds; 0 when it has",
        Source::Session(|g, points| {
            if let Some(left) = g.verdict.as_ref().and_then(|v| v.flow.until_max_latency) {
                points.put(left.as_secs_f64());
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent("when the age does not grow; when the latest interval had no messages; for `other`"),
    Metric::gauge(
        "tag52_age_growth_ratio",
        "By how many seconds the age grew in a second, over the latest ten seconds (or the interval, when that is longer); below 0 when it fell",
        Source::Session(|g, points| {
            if let Some(slope) = g.verdict.as_ref().and_then(|v| v.flow.age_slope) {
                points.put(slope);
            }
        }),
    )
    .unit(Unit::Ratio)
    .absent("with fewer than 8 messages in ten seconds; when the latest interval had no messages; for `other`"),
    Metric::gauge(
        "tag52_arrival_messages_per_second",
        "Messages sent per second, by the stamps of those read in the latest interval: with a backlog as old as they are",
        Source::Session(|g, points| {
            if let Some(rate) = g.verdict.as_ref().and_then(|v| v.flow.arrivals_per_s) {
                points.put(rate);
            }
        }),
    )
    .absent("when the stamps do not tell; when the latest interval had no messages; for `other`"),
    Metric::gauge(
        "tag52_drain_messages_per_second",
        "Messages handed off per second in the latest interval",
        Source::Session(|g, points| {
            if let Some(verdict) = &g.verdict {
                points.put(verdict.flow.drained_per_s);
            }
        }),
    )
    .absent(SILENT),
    Metric::gauge(
        "tag52_backlog_messages",
        "Messages sent and not handed off at the end of the latest interval, about",
        Source::Session(|g, points| {
            if let Some(messages) = g.verdict.as_ref().and_then(|v| v.flow.backlog_messages) {
                points.put(messages);
            }
        }),
    )
    .absent("when the rate of arrivals is not known; when the latest interval had no messages; for `other`"),
    Metric::gauge(
        "tag52_backlog_bytes",
        "The same in bytes, by the mean length of the messages read",
        Source::Session(|g, points| {
            if let Some(bytes) = g.verdict.as_ref().and_then(|v| v.flow.backlog_bytes) {
                points.put(bytes);
            }
        }),
    )
    .unit(Unit::Bytes)
    .absent("as tag52_backlog_messages"),
    Metric::gauge(
        "tag52_what_if_age_seconds",
        "The 99th percentile of the ages in the latest interval with one cause taken out, by replaying the queue",
        Source::Session(|g, points| {
            for outcome in g.what_if.iter().flat_map(|w| &w.outcomes) {
                let scenario = [("scenario", without(outcome.scenario))];
                points.put_by(&scenario, outcome.age.p99_ns as f64 / 1e9);
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(
        &[label(
            "scenario",
            "`none` (replayed as it was), `lock_wait`, `throttle`, `run_queue`, `blocked`, `half_on_cpu` (a handler twice as fast), `throttle_and_run_queue` (with more CPU)",
        )],
        Scenario::ALL.len() as u64,
    )
    .absent(SILENT),
    Metric::info(
        "tag52_session_info",
        "1; which process reads the session, and where it runs",
        Source::Session(|g, points| {
            let Some(process) = &g.process else {
                return;
            };
            let container_pid = process.inner_pid.to_string();
            let pod = process.pod.as_ref();
            let container = process.container.as_ref();
            let labels = [
                ("comm", process.comm.as_str()),
                ("container_pid", container_pid.as_str()),
                ("pod_uid", pod.map_or("", |pod| &pod.uid)),
                ("container_id", container.map_or("", |container| &container.id)),
                ("node", points.node()),
            ];
            let said: Vec<_> = labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            points.put_by(&said, 1_u64);
        }),
    )
    .by(
        &[
            label("comm", "the name of the process's main thread"),
            label("container_pid", "the process, as its container numbers it"),
            label("pod_uid", "of the pod; of a static pod the hash of its manifest"),
            label("container_id", "as its runtime names it"),
            label("node", "the name of the node, or of the machine"),
        ],
        1,
    )
    .absent("when the process ended before it was looked at; for `other`"),
];

/// What is taken out, by the names of the parts.
const fn without(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::AsItWas => "none",
        Scenario::WithoutLock => "lock_wait",
        Scenario::WithoutThrottle => "throttle",
        Scenario::WithoutRunQueue => "run_queue",
        Scenario::WithoutBlocked => "blocked",
        Scenario::FasterHandler => "half_on_cpu",
        Scenario::MoreCpu => "throttle_and_run_queue",
    }
}
