//! The metrics of the latest interval, and the identity of a session.

use super::family::{Family, Source};
use crate::{
    outputs::metrics::metric::{Unit, label},
    verdict::Cause,
    what_if::Scenario,
};

const IDLE: &str = "when the latest interval had no messages; for `other`";

pub(super) static FAMILIES: [Family; 9] = [
    Family::gauge(
        "tag52_verdict",
        "Whether this cause is part of the verdict on the latest interval (1 or 0)",
        Source::Session(|g, points| {
            if let Some(verdict) = &g.latest.verdict {
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
            "`healthy`, `network_or_venue_late`, `clock_skew`, `starved_by_lock`, `throttled`, \
             `run_queue_pressure`, `slow_sink`, `slow_handler`, `overloaded`, `unknown`",
        )],
        Cause::ALL.len() as u64,
    )
    .absent(IDLE),
    Family::gauge(
        "tag52_time_to_max_latency_seconds",
        "Time until the age reaches MaxLatency if it keeps growing as in the latest ten seconds; \
         0 once it has reached it",
        Source::Session(|g, points| {
            if let Some(left) = g
                .latest
                .verdict
                .as_ref()
                .and_then(|v| v.flow.until_max_latency)
            {
                points.put(left.as_secs_f64());
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent("when the age does not grow; when the latest interval had no messages; for `other`"),
    Family::gauge(
        "tag52_age_growth_ratio",
        "Growth of the age in seconds per second over the latest ten seconds (or the interval, if \
         longer); negative when it shrinks",
        Source::Session(|g, points| {
            if let Some(slope) = g.latest.verdict.as_ref().and_then(|v| v.flow.age_slope) {
                points.put(slope);
            }
        }),
    )
    .unit(Unit::Ratio)
    .absent(
        "with fewer than 8 messages in ten seconds; when the latest interval had no messages; \
         for `other`",
    ),
    Family::gauge(
        "tag52_arrival_messages_per_second",
        "Messages sent per second, from the stamps of the messages read in the latest interval; \
         with a backlog, the rate at the time they were sent",
        Source::Session(|g, points| {
            if let Some(rate) = g
                .latest
                .verdict
                .as_ref()
                .and_then(|v| v.flow.arrivals_per_s)
            {
                points.put(rate);
            }
        }),
    )
    .absent("when the stamps give no rate; when the latest interval had no messages; for `other`"),
    Family::gauge(
        "tag52_drain_messages_per_second",
        "Messages handed off per second in the latest interval",
        Source::Session(|g, points| {
            if let Some(verdict) = &g.latest.verdict {
                points.put(verdict.flow.drained_per_s);
            }
        }),
    )
    .absent(IDLE),
    Family::gauge(
        "tag52_backlog_messages",
        "Estimated messages sent and not handed off at the end of the latest interval",
        Source::Session(|g, points| {
            if let Some(messages) = g
                .latest
                .verdict
                .as_ref()
                .and_then(|v| v.flow.backlog_messages)
            {
                points.put(messages);
            }
        }),
    )
    .absent(
        "when the rate of arrivals is unknown; when the latest interval had no messages; for \
         `other`",
    ),
    Family::gauge(
        "tag52_backlog_bytes",
        "Estimated bytes of that backlog, from the mean length of the messages read",
        Source::Session(|g, points| {
            if let Some(bytes) = g.latest.verdict.as_ref().and_then(|v| v.flow.backlog_bytes) {
                points.put(bytes);
            }
        }),
    )
    .unit(Unit::Bytes)
    .absent("like tag52_backlog_messages"),
    Family::gauge(
        "tag52_what_if_age_seconds",
        "99th percentile of the ages in the latest interval if one part of the waiting were gone, \
         from a replay of the queue",
        Source::Session(|g, points| {
            for outcome in g.latest.what_if.iter().flat_map(|w| &w.scenarios) {
                let scenario = [("scenario", scenario_name(outcome.scenario))];
                points.put_by(&scenario, outcome.age.p99_ns as f64 / 1e9);
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(
        &[label(
            "scenario",
            "what is gone: `none` (replayed as it was), `lock_wait`, `throttle`, `run_queue`, \
             `blocked`, `half_on_cpu` (a handler twice as fast), `throttle_and_run_queue` (with \
             more CPU)",
        )],
        Scenario::ALL.len() as u64,
    )
    .absent(IDLE),
    Family::info(
        "tag52_session_info",
        "Always 1; the process that reads the session and where it runs",
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
                (
                    "container_id",
                    container.map_or("", |container| &container.id),
                ),
                ("node", points.node()),
            ];
            let labels: Vec<_> = labels
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect();
            points.put_by(&labels, 1_u64);
        }),
    )
    .by(
        &[
            label("comm", "the name of the process's main thread"),
            label(
                "container_pid",
                "the process id, as the container numbers it",
            ),
            label(
                "pod_uid",
                "the UID of the pod; of a static pod the hash of its manifest",
            ),
            label("container_id", "the id of the container"),
            label("node", "the name of the node, or of the machine"),
        ],
        1,
    )
    .absent("when the process ended before it was inspected; for `other`"),
];

/// The name of a scenario: the parts that are gone in it.
const fn scenario_name(scenario: Scenario) -> &'static str {
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
