//! Data quality: clocks, and what could not be measured.

use serde_json::json;

use super::MESSAGES;
use crate::panel::{Panel, lines, table};
use crate::style::{self, PLAIN};

pub(super) fn panels() -> Vec<Panel> {
    vec![
        venue_clock(),
        unmeasured_messages(),
        unmeasured_bytes(),
        late_acknowledgements(),
        share_above_10_ms(),
        process(),
    ]
}

fn venue_clock() -> Panel {
    lines(
        "Clock of the venue",
        (8, 7),
        "How far the venue's clock was ahead of ours in the latest message that was stamped \
         ahead, and the share of such messages. 0 is normal. With skew the part network is too \
         small by as much: check NTP or PTP here, then ask the venue.",
    )
    .query("ahead", "max(tag52_clock_skew_seconds{@})")
    .query(
        "share of messages",
        format!("sum(rate(tag52_messages_skewed_total{{@}}[$__rate_interval])) / {MESSAGES}"),
    )
    .query(
        "hidden from the age",
        format!(
            "sum(rate(tag52_negative_in_flight_seconds_total{{@}}[$__rate_interval])) / \
             {MESSAGES}"
        ),
    )
    .only("ahead", &[style::fixed("#9A8BD0")])
    .only("hidden from the age", &[style::fixed("#0072B2")])
    .only(
        "share of messages",
        &[
            style::fixed("#999999"),
            ("unit", json!("percentunit")),
            ("custom.axisPlacement", json!("right")),
        ],
    )
    .unit("s")
    .calcs(&["lastNotNull"])
    .up_to(0.001)
    .without_data("no messages")
}

fn unmeasured_messages() -> Panel {
    lines(
        "Messages that could not be measured",
        (8, 7),
        "Per second: with unknown time, excluded (by reason), garbled, with a header that \
         could not be read. All 0 is normal. They are counted here and in no other figure.",
    )
    .query(
        "unknown in part",
        "sum(rate(tag52_messages_unknown_total{@}[$__rate_interval]))",
    )
    .query(
        "excluded: {{reason}}",
        "sum by (reason) (rate(tag52_messages_excluded_total{@}[$__rate_interval])) > 0",
    )
    .query(
        "garbled",
        "sum(rate(tag52_tap_garbled_total{@}[$__rate_interval]))",
    )
    .query(
        "header incomplete",
        "sum(rate(tag52_tap_incomplete_headers_total{@}[$__rate_interval]))",
    )
    .unit("suffix: msg/s")
    .at_least(0.0)
    .calcs(&["lastNotNull"])
    .up_to(1.0)
    .without_data("no messages")
}

fn unmeasured_bytes() -> Panel {
    lines(
        "Bytes of the stream skipped or lost",
        (8, 7),
        "Bytes per second the agent skipped to find the next message, and those that never \
         reached it. 0 is normal; a few when it attached to a running session.",
    )
    .query(
        "skipped",
        "sum(rate(tag52_tap_skipped_bytes_total{@}[$__rate_interval]))",
    )
    .query(
        "lost",
        "sum(rate(tag52_tap_lost_bytes_total{@}[$__rate_interval]))",
    )
    .unit("Bps")
    .at_least(0.0)
    .calcs(&["lastNotNull"])
    .up_to(100.0)
    .without_data("no messages")
}

fn late_acknowledgements() -> Panel {
    lines(
        "In flight: our own late acknowledgements",
        (12, 7),
        "Of the mean time in flight, how much an acknowledgement of ours was pending. 0 is \
         normal. Otherwise the venue waits for our ACK before it sends (Nagle): it is our \
         delay, not the network's; ask the venue for TCP_NODELAY.",
    )
    .query(
        "in flight",
        format!(
            "sum(rate(tag52_stage_seconds_sum{{@,stage=\"in_flight\"}}[$__rate_interval])) / \
             {MESSAGES}"
        ),
    )
    .query(
        "acknowledgement pending",
        format!("sum(rate(tag52_ack_pending_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"),
    )
    .only("in flight", &[style::fixed("#56B4E9")])
    .only("acknowledgement pending", &[style::fixed("#D55E00")])
    .unit("s")
    .at_least(0.0)
    .calcs(&["lastNotNull"])
    .without_data("no messages")
}

fn share_above_10_ms() -> Panel {
    lines(
        "Messages with more than 10 ms of a part",
        (12, 7),
        "Share of messages that spent more than 10 ms on each part: whether a part touches all \
         messages or only some. 0 is normal.",
    )
    .query(
        "{{part}}",
        "1 - sum by (part) (rate(tag52_part_seconds_bucket{@,le=\"0.01\"}[$__rate_interval])) \
         / sum by (part) (rate(tag52_part_seconds_count{@}[$__rate_interval]))",
    )
    .colours(&style::PARTS)
    .unit("percentunit")
    .at_least(0.0)
    .at_most(1.0)
    .without_data("no messages")
}

fn process() -> Panel {
    table(
        "Process of the session",
        (24, 4),
        "The reading process and where it runs. container_pid is its pid as seen inside of its \
         container.",
    )
    .query(
        "info",
        "max by (sender, target, pid, comm, container_pid, instance, node, namespace, pod, \
         container, pod_uid, container_id) (tag52_session_info{@})",
    )
    .transform(
        "organize",
        &json!({
            "excludeByName": { "Time": true, "Value": true },
            "includeByName": {},
            "indexByName": {
                "sender": 0, "target": 1, "comm": 2, "pid": 3, "container_pid": 4,
                "instance": 5, "node": 6,
                "namespace": 7, "pod": 8, "container": 9, "pod_uid": 10, "container_id": 11,
            },
            "renameByName": {},
        }),
    )
    .from(PLAIN, &[])
    .without_data("no session")
}
