//! The state of the session in six figures.

use super::MESSAGES;
use crate::panel::{Panel, stat};
use crate::style::{self, BAD, WARNING};

pub(super) fn panels() -> Vec<Panel> {
    vec![
        stat(
            "Verdict",
            (5, 4),
            "The diagnosis of the latest interval, by fixed rules; several causes when they weigh \
             about the same. healthy: below 10 ms and not growing. The timeline below says what each one \
             means.",
        )
        .query("{{cause}}", "max by (cause) (tag52_verdict{@} == 1)")
        .colours(&style::VERDICTS)
        .show_name()
        .without_data("no messages"),
        stat(
            "Age p99",
            (4, 4),
            "One message in a hundred is older than this when the application is through with it. \
             Below 10 ms is normal.",
        )
        .query(
            "p99",
            "histogram_quantile(0.99, sum by (le) \
             (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval])))",
        )
        .unit("s")
        .decimals(1)
        .without_data("no messages")
        .good_until(&[(0.1, WARNING), (1.0, BAD)]),
        stat(
            "Growth",
            (4, 4),
            "Seconds of age gained per second. 0: the reader keeps up. 1: it stands still. Above 0 \
             for long, the session is lost, and the next figure says when.",
        )
        .query("growth", "max(tag52_age_growth_ratio{@})")
        .unit("suffix: s/s")
        .decimals(2)
        .without_data("too few messages")
        .good_until(&[(0.02, WARNING), (0.2, BAD)]),
        stat(
            "MaxLatency in",
            (4, 4),
            "At the present growth the age reaches MaxLatency in so long; then the engine refuses \
             messages (35=3) and logs out. 0: it has. \"not growing\" is normal.",
        )
        .query("left", "min(tag52_time_to_max_latency_seconds{@})")
        .unit("s")
        .decimals(1)
        .without_data("not growing")
        .from(BAD, &[(600.0, WARNING), (3600.0, style::GOOD)]),
        stat(
            "Backlog",
            (4, 4),
            "Messages sent and not yet handed off, about. A handful is normal. They are in our \
             process, in our socket queue or still at the venue.",
        )
        .query("backlog", "sum(tag52_backlog_messages{@})")
        .decimals(0)
        .without_data("unknown")
        .good_until(&[(100.0, WARNING), (1000.0, BAD)]),
        stat(
            "Unknown",
            (3, 4),
            "Share of messages with time that was not observed. 0 is normal; it is not spread over \
             the other parts. More than a few per cent: see Node and agent.",
        )
        .query(
            "unknown",
            format!("sum(rate(tag52_messages_unknown_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .unit("percentunit")
        .decimals(1)
        .without_data("no messages")
        .good_until(&[(0.01, WARNING), (0.05, BAD)]),
    ]
}
