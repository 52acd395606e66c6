//! Messages in and out: rates, backlog, window, resends.

use serde_json::json;

use crate::panel::{Panel, lines};
use crate::style;

pub(super) fn panels() -> Vec<Panel> {
    vec![
        arrival_and_drain(),
        backlog(),
        growth(),
        window_closed(),
        resends(),
    ]
}

fn arrival_and_drain() -> Panel {
    lines(
        "Messages in and out",
        (12, 7),
        "Arrival: sent by the venue, by its own stamps. Drain: handed off by us. The same is \
         normal. Drain below arrival: the age grows by the difference. Drain above arrival: a \
         backlog is being worked off.",
    )
    .query("arrival", "sum(tag52_arrival_messages_per_second{@})")
    .query("drain", "sum(tag52_drain_messages_per_second{@})")
    .only("arrival", &[style::fixed("#0072B2")])
    .only("drain", &[style::fixed("#E69F00")])
    .unit("suffix: msg/s")
    .at_least(0.0)
    .calcs(&["mean", "lastNotNull"])
    .without_data("no messages")
}

fn backlog() -> Panel {
    lines(
        "Backlog",
        (12, 7),
        "Sent and not yet handed off, in messages and in bytes, about. Near 0 is normal. More \
         than the socket's receive buffer (6 MiB by default) cannot be with us: the rest is \
         held back at the sender.",
    )
    .query("messages", "sum(tag52_backlog_messages{@})")
    .query("bytes", "sum(tag52_backlog_bytes{@})")
    .only("messages", &[style::fixed("#0072B2")])
    .only(
        "bytes",
        &[
            style::fixed("#CC79A7"),
            ("unit", json!("bytes")),
            ("custom.axisPlacement", json!("right")),
        ],
    )
    .at_least(0.0)
    .without_data("no messages")
}

fn growth() -> Panel {
    lines(
        "Growth of the age",
        (8, 7),
        "Seconds of age gained per second. 0 is normal; below 0 a backlog is being worked off; \
         1 is standstill.",
    )
    .query("growth", "max(tag52_age_growth_ratio{@})")
    .only("growth", &[style::fixed("#D55E00")])
    .unit("suffix: s/s")
    .calcs(&["lastNotNull"])
    .without_data("too few messages")
}

fn window_closed() -> Panel {
    lines(
        "Our window was closed",
        (8, 7),
        "Share of the time our receive window was closed, so that the venue could not send, \
         and how often it closed. A stretch counts when it is over, so that a point can be \
         above 100 %. 0 is normal. Anything else is ours, not the venue's: the reader does not \
         read.",
    )
    .query(
        "closed",
        "sum(rate(tag52_window_closed_seconds_total{@}[$__rate_interval]))",
    )
    .query(
        "closures per second",
        "sum(rate(tag52_window_closures_total{@}[$__rate_interval]))",
    )
    .only("closed", &[style::fixed("#882255")])
    .only(
        "closures per second",
        &[
            style::fixed("#999999"),
            ("unit", json!("short")),
            ("custom.axisPlacement", json!("right")),
        ],
    )
    .unit("percentunit")
    .at_least(0.0)
    .calcs(&["lastNotNull"])
    .without_data("no messages")
}

fn resends() -> Panel {
    lines(
        "Resends",
        (8, 7),
        "Messages with PossDup (43=Y) per second, and their p99 age since OrigSendingTime \
         (122). They are counted apart from fresh ones. A burst follows a gap in MsgSeqNum: a \
         reconnect, or messages lost.",
    )
    .query(
        "resends per second",
        "sum(rate(tag52_messages_total{@,kind=\"resend\"}[$__rate_interval]))",
    )
    .query(
        "age p99",
        "histogram_quantile(0.99, sum by (le) \
         (rate(tag52_resend_age_seconds_bucket{@}[$__rate_interval])))",
    )
    .only("resends per second", &[style::fixed("#9A8BD0")])
    .only(
        "age p99",
        &[
            style::fixed("#E69F00"),
            ("unit", json!("s")),
            ("custom.axisPlacement", json!("right")),
        ],
    )
    .at_least(0.0)
    .calcs(&["lastNotNull"])
    .up_to(1.0)
    .without_data("no resends")
}
