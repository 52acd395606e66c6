//! The fleet: every session of every node, the worst ones first.

mod worst;

use super::dashboard::{Dashboard, to_session};
use super::panel::{Panel, heatmap, lines, stack, stat};
use super::style::{self, BAD, PLAIN, WARNING};
use super::variable::{NAMESPACE, NODE, POD, SENDER, TARGET, Variable};

const VARIABLES: &[Variable] = &[NODE, NAMESPACE, POD, SENDER, TARGET];

/// Links each line of a graph to its session.
fn linked(panel: Panel) -> Panel {
    let label = |name: &str| format!("${{__field.labels.{name}}}");
    panel.link("Open this session", &to_session(label))
}

/// The dashboard of all sessions.
pub(super) fn fleet() -> Dashboard {
    Dashboard::new(
        "tag52-fleet",
        "tag52 / Fleet",
        "Where FIX messages grow old: all sessions, the worst first. Click a session to see why.",
    )
    .variables(VARIABLES)
    .row("Now", now())
    .row("Worst sessions", vec![worst::table()])
    .row("Over time", over_time())
}

fn now() -> Vec<Panel> {
    vec![
        stat(
            "Sessions",
            (4, 4),
            "FIX sessions that handed off a message within the time range, on the chosen nodes. \
             Fewer than usual in the morning: one has not logged on, or its process is not tracked \
             (see Node and agent).",
        )
        .query(
            "sessions",
            "count(count by (<session>) (tag52_messages_total{@,kind=\"fresh\"}))",
        )
        .without_data("0")
        .from(PLAIN, &[]),
        stat(
            "Not healthy",
            (4, 4),
            "Sessions whose verdict is anything but healthy. 0 is normal. Otherwise see the table \
             below: it has the verdict and the dominant part, the worst first.",
        )
        .query(
            "not healthy",
            "count(max by (<session>) (tag52_verdict{@,cause!=\"healthy\"} == 1)) or vector(0)",
        )
        .good_until(&[(1.0, WARNING)]),
        stat(
            "Breaches in 10 minutes",
            (4, 4),
            "Sessions whose age grows so fast that it reaches MaxLatency within ten minutes; from \
             then on the engine refuses messages and logs out. 0 is normal. Any other number: act \
             now, on the table's top row.",
        )
        .query(
            "sessions",
            "count(tag52_time_to_max_latency_seconds{@} < 600) or vector(0)",
        )
        .good_until(&[(1.0, BAD)]),
        stat(
            "Worst age now (p99)",
            (4, 4),
            "The 99th percentile of the age of the worst session. Below 10 ms is normal for a \
             reader that keeps up.",
        )
        .query(
            "p99",
            "max(histogram_quantile(0.99, sum by (<session>, le) \
             (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval]))))",
        )
        .unit("s")
        .decimals(1)
        .without_data("no messages")
        .good_until(&[(0.1, WARNING), (1.0, BAD)]),
        stat(
            "Messages per second",
            (4, 4),
            "Fresh messages handed off per second, all sessions. It is the rate the readers drain, \
             not the rate the venues send: a session that stands still pulls it down.",
        )
        .query(
            "messages",
            "sum(rate(tag52_messages_total{@,kind=\"fresh\"}[$__rate_interval]))",
        )
        .unit("suffix: msg/s")
        .decimals(0)
        .without_data("no messages")
        .from(PLAIN, &[]),
        stat(
            "Nodes with an agent",
            (4, 4),
            "Agents that are scraped. Compare it with the number of nodes: sessions on a node \
             without an agent are not on this dashboard.",
        )
        .query(
            "agents",
            "count(tag52_build_info{instance=~\"$instance\"}) or vector(0)",
        )
        .from(BAD, &[(1.0, PLAIN)]),
    ]
}

fn over_time() -> Vec<Panel> {
    vec![
        heatmap(
            "Age of all messages",
            (12, 10),
            "How many messages per second came out how old; brighter is more. One band near the \
             bottom is normal. A second band above it is one session that falls behind; a band \
             that climbs is one that will reach MaxLatency.",
        )
        .query(
            "{{le}}",
            "sum by (le) (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval]))",
        )
        .unit("s"),
        stack(
            "Mean age by part",
            (12, 10),
            "What the mean message of the fleet spent its age on; the height of the stack is the \
             mean age. network is the venue's and the wire's, everything else is in our hands. The \
             colour that grows names the cause: lock_wait a lock or the GIL, throttle a CPU limit, \
             run_queue other threads on the CPU, blocked a slow pipe, disk or database.",
        )
        .query(
            "{{part}}",
            "sum by (part) (rate(tag52_age_seconds_total{@}[$__rate_interval])) / \
             scalar(sum(rate(tag52_messages_total{@,kind=\"fresh\"}[$__rate_interval])))",
        )
        .colours(&style::PARTS)
        .unit("s")
        .without_data("no messages"),
        linked(
            lines(
                "Predicted breaches: time until MaxLatency",
                (12, 8),
                "Only sessions whose age grows: at its present pace it reaches MaxLatency in so \
                 long. Empty is normal. A falling line is a session that will be lost; below ten \
                 minutes an alert fires. Click it to see why.",
            )
            .query(
                "{{sender}} > {{target}} {{pod}}",
                "min by (<session>) (tag52_time_to_max_latency_seconds{@})",
            )
            .unit("s")
            .logarithmic()
            .calcs(&["lastNotNull"])
            .without_data("no session's age grows"),
        ),
        stack(
            "Sessions by verdict",
            (12, 8),
            "How many sessions have which verdict; one with several causes counts for each. Normal \
             is one colour, healthy. A colour that spreads over many sessions at once is something \
             they share: a node, a limit, a network.",
        )
        .query("{{cause}}", "sum by (cause) (tag52_verdict{@})")
        .colours(&style::VERDICTS)
        .steps()
        .decimals(0)
        .calcs(&["lastNotNull"])
        .without_data("no messages"),
        linked(
            lines(
                "Age p99, the ten worst sessions",
                (12, 8),
                "The 99th percentile of the age of the worst sessions. Flat below 10 ms is normal. \
                 The axis is logarithmic.",
            )
            .query(
                "{{sender}} > {{target}} {{pod}}",
                "topk(10, histogram_quantile(0.99, sum by (<session>, le) \
                 (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval]))) > 0)",
            )
            .unit("s")
            .logarithmic()
            .without_data("no messages"),
        ),
        linked(
            lines(
                "Messages per second, the ten busiest sessions",
                (12, 8),
                "Fresh messages handed off per second. A session that drops while the others go on \
                 is stuck or has lost its connection.",
            )
            .query(
                "{{sender}} > {{target}} {{pod}}",
                "topk(10, sum by (<session>) \
                 (rate(tag52_messages_total{@,kind=\"fresh\"}[$__rate_interval])))",
            )
            .unit("suffix: msg/s")
            .at_least(0.0)
            .calcs(&["mean", "lastNotNull"])
            .without_data("no messages"),
        ),
    ]
}
