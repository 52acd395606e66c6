//! The table of the worst sessions.

use serde_json::{Value, json};

use crate::dashboard::to_session;
use crate::panel::{self, Panel};
use crate::style::{self, BAD, WARNING};

pub(super) fn table() -> Panel {
    let table = arranged(newest());
    with_pace(with_cause(table))
        .only(
            "Value #F",
            &[("unit", json!("short")), ("decimals", json!(0))],
        )
        .only(
            "Value #G",
            &[
                ("noValue", json!("-")),
                ("unit", json!("short")),
                ("decimals", json!(0)),
            ],
        )
        .only("pid", &[("custom.width", json!(90))])
}

/// The figures of each session.
fn newest() -> Panel {
    panel::table(
        "Worst sessions now",
        (24, 9),
        "One row for each session, the oldest messages first. Age is the 99th percentile now; the \
         dominant part is what most of the age was spent on; growth is how many seconds the age \
         gains per second (0: it keeps up); the last column is the time until MaxLatency at that \
         pace, empty when it does not grow. Click a row's sender to open the session.",
    )
    .query(
        "p99",
        "histogram_quantile(0.99, sum by (<session>, le) \
         (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval])))",
    )
    .query(
        "part",
        "topk by (<session>) (1, sum by (<session>, part) \
         (rate(tag52_age_seconds_total{@}[$__rate_interval])) / on (<session>) group_left sum by \
         (<session>) (rate(tag52_age_seconds_total{@}[$__rate_interval])) > 0)",
    )
    .query(
        "verdict",
        "topk by (<session>) (1, max by (<session>, cause) (tag52_verdict{@} == 1))",
    )
    .query("growth", "max by (<session>) (tag52_age_growth_ratio{@})")
    .query(
        "left",
        "min by (<session>) (tag52_time_to_max_latency_seconds{@})",
    )
    .query(
        "rate",
        "sum by (<session>) (rate(tag52_messages_total{@,kind=\"fresh\"}[$__rate_interval]))",
    )
    .query("backlog", "sum by (<session>) (tag52_backlog_messages{@})")
    .without_data("no sessions")
}

/// One row for each session, with the columns in order.
fn arranged(table: Panel) -> Panel {
    table
        .transform("merge", &json!({}))
        .transform(
            "organize",
            &json!({
                "excludeByName": { "Time": true, "Value #C": true },
                "includeByName": {},
                "indexByName": {
                    "sender": 0, "target": 1, "namespace": 2, "pod": 3, "instance": 4, "pid": 5,
                    "Value #A": 6,
                    "cause": 7, "part": 8, "Value #B": 9, "Value #D": 10, "Value #G": 11,
                    "Value #F": 12, "Value #E": 13,
                },
                "renameByName": {
                    "sender": "Sender",
                    "target": "Target",
                    "namespace": "Namespace",
                    "pod": "Pod",
                    "instance": "Node",
                    "pid": "PID",
                    "Value #A": "Age p99",
                    "cause": "Verdict",
                    "part": "Dominant part",
                    "Value #B": "Its share",
                    "Value #D": "Growth",
                    "Value #E": "MaxLatency in",
                    "Value #F": "Messages/s",
                    "Value #G": "Backlog",
                },
            }),
        )
        .sorted("Age p99", true)
}

/// Who it is, how old its messages are, and why.
fn with_cause(table: Panel) -> Panel {
    let label = |name: &str| format!("${{__data.fields.{name}}}");
    let steps = |steps: &[(f64, &str)]| style::thresholds("transparent", steps);
    table
        .only(
            "sender",
            &[(
                "links",
                json!([{
                    "title": "Open this session",
                    "url": to_session(label),
                    "targetBlank": false,
                }]),
            )],
        )
        .only(
            "Value #A",
            &[
                ("unit", json!("s")),
                ("decimals", json!(2)),
                ("custom.cellOptions", gradient()),
                ("thresholds", steps(&[(0.1, WARNING), (1.0, BAD)])),
                ("color", json!({ "mode": "thresholds" })),
            ],
        )
        .only(
            "cause",
            &[
                ("mappings", style::names(&style::VERDICTS)),
                ("custom.cellOptions", json!({ "type": "color-text" })),
            ],
        )
        .only(
            "part",
            &[
                ("mappings", style::names(&style::PARTS)),
                ("custom.cellOptions", json!({ "type": "color-text" })),
            ],
        )
        .only(
            "Value #B",
            &[("unit", json!("percentunit")), ("decimals", json!(0))],
        )
}

/// How fast the age grows, and how long it takes to MaxLatency.
fn with_pace(table: Panel) -> Panel {
    table
        .only(
            "Value #D",
            &[
                ("noValue", json!("-")),
                ("unit", json!("suffix: s/s")),
                ("decimals", json!(2)),
                ("custom.cellOptions", json!({ "type": "color-text" })),
                ("color", json!({ "mode": "thresholds" })),
                (
                    "thresholds",
                    style::thresholds("text", &[(0.02, WARNING), (0.2, BAD)]),
                ),
            ],
        )
        .only(
            "Value #E",
            &[
                ("unit", json!("s")),
                ("decimals", json!(1)),
                ("mappings", json!([style::none("", "transparent")])),
                ("custom.cellOptions", gradient()),
                ("color", json!({ "mode": "thresholds" })),
                (
                    "thresholds",
                    style::thresholds(BAD, &[(600.0, WARNING), (3600.0, "transparent")]),
                ),
            ],
        )
}

fn gradient() -> Value {
    json!({ "type": "color-background", "mode": "basic" })
}
