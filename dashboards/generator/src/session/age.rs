//! The ages of its messages, by part and stage.

use serde_json::json;

use super::MESSAGES;
use crate::panel::{Panel, heatmap, lines, stack, states};
use crate::style::{self, BAD};

pub(super) fn panels() -> Vec<Panel> {
    vec![
        age(),
        mean_age_by_part(),
        mean_age_by_stage(),
        messages_by_age(),
        verdict_over_time(),
    ]
}

fn age() -> Panel {
    let quantile = |q: &str| {
        format!(
            "histogram_quantile({q}, sum by (le) \
             (rate(tag52_message_age_seconds_bucket{{@}}[$__rate_interval])))"
        )
    };
    lines(
        "Age",
        (12, 10),
        "From the venue's own timestamp (tag 52) to the moment the application is through with \
         the message. The axis is logarithmic. Normal is flat, below 10 ms. When p50 climbs \
         with p99 every message waits: a backlog. When only p99 does, some wait: look for \
         pauses. The dashed line is MaxLatency. Dots are single messages, with their MsgSeqNum \
         and thread. max is the upper end of the histogram's bucket.",
    )
    .query("p50", quantile("0.5"))
    .query("p90", quantile("0.9"))
    .query("p99", quantile("0.99"))
    .exemplars()
    .query("max", quantile("1"))
    .query(
        "MaxLatency",
        "max(tag52_max_latency_seconds{instance=~\"$instance\"})",
    )
    .only("p50", &[style::fixed("#009E73")])
    .only("p90", &[style::fixed("#56B4E9")])
    .only("p99", &[style::fixed("#E69F00")])
    .only(
        "max",
        &[style::fixed("#999999"), ("custom.lineWidth", json!(1))],
    )
    .only(
        "MaxLatency",
        &[
            style::fixed(BAD),
            style::dashed([8, 6]),
            ("custom.fillOpacity", json!(0)),
        ],
    )
    .unit("s")
    .logarithmic()
    .without_data("no messages")
}

fn mean_age_by_part() -> Panel {
    stack(
        "Mean age by part",
        (12, 10),
        "What the mean message spent its age on: the height of the stack is the mean age, \
         exactly. network: the venue and the wire. on_cpu: the reader's own work. run_queue: \
         other threads had its CPU. throttle: its CPU limit was used up. lock_wait: a mutex or \
         Python's GIL. blocked: a pipe, disk, database. unknown: not observed. The largest \
         colour is where to begin.",
    )
    .query(
        "{{part}}",
        format!(
            "sum by (part) (rate(tag52_age_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"
        ),
    )
    .colours(&style::PARTS)
    .unit("s")
    .without_data("no messages")
}

fn mean_age_by_stage() -> Panel {
    stack(
        "Mean age by stage",
        (12, 9),
        "Where the mean message was meanwhile: in_flight with the venue and the network; \
         held_back at the sender because our window was closed (we did not read: it is not the \
         venue's fault); queued in our kernel's socket queue; in_app in our process. Normal is \
         a thin in_flight and a thin in_app.",
    )
    .query(
        "{{stage}}",
        format!(
            "sum by (stage) (rate(tag52_age_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"
        ),
    )
    .colours(&style::STAGES)
    .unit("s")
    .without_data("no messages")
}

fn messages_by_age() -> Panel {
    heatmap(
        "Messages by age",
        (12, 9),
        "How many messages per second came out how old. One band is normal; two bands are two \
         kinds of messages, or pauses; a climbing band is a backlog.",
    )
    .query(
        "{{le}}",
        "sum by (le) (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval]))",
    )
    .unit("s")
}

fn verdict_over_time() -> Panel {
    states(
        "Verdict over time",
        (24, 5),
        "The cause that weighed most in each interval. healthy: nothing to do. \
         starved_by_lock: the reader waits for a lock or the GIL; see who holds it below. \
         throttled: the pod's CPU limit is used up; raise or remove it. run_queue_pressure: \
         others have its CPU; pin it, or give it a request. slow_sink: it sleeps in a call; \
         make that asynchronous. slow_handler: the work on a message is long but it keeps up. \
         overloaded: more comes in than one thread can do. network_or_venue_late: messages \
         arrive old; ask the venue. clock_skew: the venue's clock is ahead of ours; check NTP. \
         unknown: nothing stands out, was not observed, or nothing is handed off any more. A \
         gap is no messages.",
    )
    .query("{{sender}} > {{target}} {{pod}} {{pid}}", verdict_index())
    .mappings(style::mapping(
        &(style::VERDICTS
            .iter()
            .zip(INDEX)
            .map(|(&(name, colour), index)| (index, name, colour))
            .collect::<Vec<_>>()),
    ))
    .without_data("no messages")
}

/// The values that stand for the verdicts in the timeline.
const INDEX: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// PromQL has no text values: a verdict is shown by its index, the largest of several.
fn verdict_index() -> String {
    let each: Vec<String> = style::VERDICTS
        .iter()
        .zip(INDEX)
        .map(|((name, _), index)| {
            format!("0 * (tag52_verdict{{@,cause=\"{name}\"}} == 1) + {index}")
        })
        .collect();
    format!("max by (<session>) ({})", each.join(" or "))
}
