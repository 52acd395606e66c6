//! Who is to blame, and what would help.

use serde_json::json;

use super::MESSAGES;
use crate::panel::{Panel, bars, lines, stack, table};
use crate::style::{self, BAD};

pub(super) fn panels() -> Vec<Panel> {
    vec![culprits(), what_if(), lock_holders(), lock_waits()]
}

fn culprits() -> Panel {
    let share = "sum by (part, culprit) (increase(tag52_blame_seconds_total{@}[$__range])) / \
                 scalar(sum(increase(tag52_age_seconds_total{@}[$__range])))";
    let each = "sum by (part, culprit) (increase(tag52_blame_seconds_total{@}[$__range])) / \
                scalar(sum(increase(tag52_messages_total{@,kind=\"fresh\"}[$__range])))";
    table(
        "Who is to blame",
        (14, 9),
        "Whom the messages waited for over the time range, the largest share of the age first: \
         the thread that held the lock, the threads that had the CPU, the cgroup whose limit \
         ran out, the call and what it was on. What the network and the reader's own work took \
         has no culprit. \"other\" is everybody with less than 5 % of the part. Begin with the \
         first row.",
    )
    .query("share", format!("{share} > 0"))
    .query("each", format!("{each} > 0"))
    .transform("merge", &json!({}))
    .transform(
        "organize",
        &json!({
            "excludeByName": { "Time": true },
            "includeByName": {},
            "indexByName": { "culprit": 0, "part": 1, "Value #A": 2, "Value #B": 3 },
            "renameByName": {
                "culprit": "Who, or what", "part": "Part", "Value #A": "Share of the age",
                "Value #B": "Per message",
            },
        }),
    )
    .sorted("Share of the age", true)
    .only(
        "part",
        &[
            ("mappings", style::names(&style::PARTS)),
            ("custom.cellOptions", json!({ "type": "color-text" })),
            ("custom.width", json!(120)),
        ],
    )
    .only(
        "Value #A",
        &[
            ("unit", json!("percentunit")),
            ("decimals", json!(1)),
            ("min", json!(0)),
            ("max", json!(1)),
            (
                "custom.cellOptions",
                json!({ "type": "gauge", "mode": "basic", "valueDisplayMode": "text" }),
            ),
            ("color", json!({ "mode": "fixed", "fixedColor": BAD })),
            ("custom.width", json!(240)),
        ],
    )
    .only(
        "Value #B",
        &[
            ("unit", json!("s")),
            ("decimals", json!(2)),
            ("custom.width", json!(120)),
        ],
    )
    .without_data("nobody is charged")
}

fn what_if() -> Panel {
    bars(
        "What if",
        (10, 9),
        "The age's p99 of the latest interval, as it was and as it would have been with one \
         cause taken out: the same arrivals, replayed. The shortest bar is the change that \
         pays. It does not know what that change costs. It ignores causes that would only take \
         the first one's place.",
    )
    .query(
        "{{scenario}}",
        "sort_desc(max by (scenario) (tag52_what_if_age_seconds{@}))",
    )
    .only(
        "none",
        &[("displayName", json!("as it was")), style::fixed("#999999")],
    )
    .only(
        "lock_wait",
        &[
            ("displayName", json!("without lock_wait")),
            style::fixed("#D55E00"),
        ],
    )
    .only(
        "throttle",
        &[
            ("displayName", json!("without throttle")),
            style::fixed("#CC79A7"),
        ],
    )
    .only(
        "run_queue",
        &[
            ("displayName", json!("without run_queue")),
            style::fixed("#E69F00"),
        ],
    )
    .only(
        "blocked",
        &[
            ("displayName", json!("without blocked")),
            style::fixed("#0072B2"),
        ],
    )
    .only(
        "half_on_cpu",
        &[
            ("displayName", json!("handler twice as fast")),
            style::fixed("#E5D352"),
        ],
    )
    .only(
        "throttle_and_run_queue",
        &[("displayName", json!("more CPU")), style::fixed("#009E73")],
    )
    .unit("s")
    .without_data("too few messages")
}

fn lock_holders() -> Panel {
    stack(
        "Lock waits: time of each message by holder",
        (12, 7),
        "The part lock_wait of the mean age, by who held the lock. A single holder: split its \
         calls that hold the lock, or move it to a process of its own. Many: the lock itself \
         is the bottleneck.",
    )
    .query(
        "{{culprit}}",
        format!(
            "sum by (culprit) \
             (rate(tag52_blame_seconds_total{{@,part=\"lock_wait\"}}[$__rate_interval])) / \
             {MESSAGES}"
        ),
    )
    .unit("s")
    .without_data("no messages")
}

fn lock_waits() -> Panel {
    lines(
        "Lock waits: how many, and the longest",
        (12, 7),
        "Waits of the ingest thread for locks per second, and the longest one so far. \
         Thousands of short waits are hand-overs; few long ones are calls that do not yield.",
    )
    .query(
        "waits per second",
        "sum(rate(tag52_lock_waits_total{@}[$__rate_interval]))",
    )
    .query("longest", "max(tag52_lock_wait_longest_seconds{@})")
    .only("waits per second", &[style::fixed("#56B4E9")])
    .only(
        "longest",
        &[
            style::fixed("#D55E00"),
            ("unit", json!("s")),
            ("custom.axisPlacement", json!("right")),
        ],
    )
    .at_least(0.0)
    .unit("suffix: /s")
    .calcs(&["lastNotNull"])
    .without_data("no messages")
}
