//! What was read, and what came of it.

use super::{label, seconds};
use crate::{
    domain::ExclusionReason,
    outputs::metrics::metric::{Metric, Source, Unit},
};

pub(super) static METRICS: [Metric; 15] = [
    Metric::counter(
        "tag52_messages_total",
        "Messages with an age, by kind",
        Source::Session(|g, points| {
            points.put_by(&[("kind", "fresh")], g.messages);
            points.put_by(&[("kind", "resend")], g.resends);
        }),
    )
    .by(&[label("kind", "`fresh`, `resend` (43=Y)")], 2),
    Metric::counter(
        "tag52_messages_excluded_total",
        "Messages without an age, by reason",
        Source::Session(|g, points| {
            for (reason, count) in g.excluded.iter() {
                points.put_by(&[("reason", reason.name())], count);
            }
        }),
    )
    .by(
        &[label(
            "reason",
            "`no_sending_time`, `bad_sending_time`, `resend_without_orig_time`, `receive_unseen`, `unbalanced`",
        )],
        ExclusionReason::ALL.len() as u64,
    ),
    Metric::counter(
        "tag52_messages_unknown_total",
        "Fresh messages with any time that was not observed",
        Source::Session(|g, points| points.put(g.unknown)),
    ),
    Metric::counter(
        "tag52_messages_skewed_total",
        "Fresh messages that were stamped ahead of our clock",
        Source::Session(|g, points| points.put(g.skewed)),
    ),
    Metric::counter(
        "tag52_ack_pending_seconds_total",
        "Time of fresh messages in flight during which an acknowledgement of ours was pending",
        Source::Session(|g, points| points.put(seconds(g.ack_pending_ns as i128))),
    )
    .unit(Unit::Seconds),
    Metric::counter(
        "tag52_negative_in_flight_seconds_total",
        "By how much skew made the summed age smaller than the parts of tag52_age_seconds_total",
        Source::Session(|g, points| points.put(seconds(g.negative_ns))),
    )
    .unit(Unit::Seconds),
    Metric::gauge(
        "tag52_clock_skew_seconds",
        "How far the venue's clock was ahead of ours in the latest message; 0 when it was not",
        Source::Session(|g, points| points.put(seconds(g.skew_latest_ns.into()))),
    )
    .unit(Unit::Seconds),
    Metric::counter(
        "tag52_window_closures_total",
        "How often our receive window was closed: we did not read",
        Source::Session(|g, points| points.put(g.window.closed)),
    ),
    Metric::counter(
        "tag52_window_closed_seconds_total",
        "For how long altogether, as far as it is closed now included",
        Source::Session(|g, points| points.put(seconds(g.window.closed_ns().into()))),
    )
    .unit(Unit::Seconds),
    Metric::counter(
        "tag52_lock_waits_total",
        "Lock waits of the ingest thread, timed-out ones joined",
        Source::Session(|g, points| points.put(g.threads.lock_waits)),
    ),
    Metric::gauge(
        "tag52_lock_wait_longest_seconds",
        "The longest lock wait of the ingest thread since the session was first seen",
        Source::Session(|g, points| {
            points.put(seconds(g.threads.longest_lock_wait_ns.into()));
        }),
    )
    .unit(Unit::Seconds),
    Metric::counter(
        "tag52_tap_skipped_bytes_total",
        "Bytes of the stream passed over to find the next message",
        Source::Session(|g, points| points.put(g.tap.skipped_bytes)),
    )
    .unit(Unit::Bytes),
    Metric::counter(
        "tag52_tap_lost_bytes_total",
        "Bytes of the stream that never reached the agent",
        Source::Session(|g, points| points.put(g.tap.lost_bytes)),
    )
    .unit(Unit::Bytes),
    Metric::counter(
        "tag52_tap_garbled_total",
        "Messages whose framing was wrong",
        Source::Session(|g, points| points.put(g.tap.garbled)),
    ),
    Metric::counter(
        "tag52_tap_incomplete_headers_total",
        "Messages whose header was too long or lacked a field",
        Source::Session(|g, points| points.put(g.tap.incomplete_headers)),
    ),
];
