//! What was read of a session: messages, exclusions, windows, lock waits, the tap.

use super::family::{Family, Source};
use crate::{
    domain::ExclusionReason,
    outputs::metrics::{
        metric::{Unit, label},
        points::seconds,
    },
};

pub(super) static FAMILIES: [Family; 15] = [
    Family::counter(
        "tag52_messages_total",
        "Messages with an age, by kind",
        Source::Session(|g, points| {
            points.put_by(&[("kind", "fresh")], g.totals.messages);
            points.put_by(&[("kind", "resend")], g.totals.resends);
        }),
    )
    .by(&[label("kind", "`fresh`, `resend` (43=Y)")], 2),
    Family::counter(
        "tag52_messages_excluded_total",
        "Messages without an age, by reason",
        Source::Session(|g, points| {
            for (reason, count) in g.totals.excluded.iter() {
                points.put_by(&[("reason", reason.name())], count);
            }
        }),
    )
    .by(
        &[label(
            "reason",
            "`no_sending_time`, `bad_sending_time`, `resend_without_orig_time`, `receive_unseen`, \
             `unbalanced`",
        )],
        ExclusionReason::ALL.len() as u64,
    ),
    Family::counter(
        "tag52_messages_unknown_total",
        "Fresh messages with any unknown time",
        Source::Session(|g, points| points.put(g.totals.unknown)),
    ),
    Family::counter(
        "tag52_messages_skewed_total",
        "Fresh messages stamped ahead of our clock",
        Source::Session(|g, points| points.put(g.totals.skewed)),
    ),
    Family::counter(
        "tag52_ack_pending_seconds_total",
        "Time in flight of fresh messages during which an acknowledgement of ours was pending",
        Source::Session(|g, points| points.put(seconds(g.totals.ack_pending_ns as i128))),
    )
    .unit(Unit::Seconds),
    Family::counter(
        "tag52_negative_in_flight_seconds_total",
        "Time in flight below zero (clock skew): subtract it from tag52_age_seconds_total for the \
         summed age",
        Source::Session(|g, points| points.put(seconds(g.totals.negative_ns))),
    )
    .unit(Unit::Seconds),
    Family::gauge(
        "tag52_clock_skew_seconds",
        "How far the venue's clock was ahead of ours in the latest message; 0 when it was not \
         ahead",
        Source::Session(|g, points| points.put(seconds(g.latest.skew_ns.into()))),
    )
    .unit(Unit::Seconds),
    Family::counter(
        "tag52_window_closures_total",
        "How often our receive window closed because the application did not read",
        Source::Session(|g, points| points.put(g.totals.window.closed)),
    ),
    Family::counter(
        "tag52_window_closed_seconds_total",
        "Time that our receive window was closed, a closure that still lasts included",
        Source::Session(|g, points| points.put(seconds(g.totals.window.closed_ns().into()))),
    )
    .unit(Unit::Seconds),
    Family::counter(
        "tag52_lock_waits_total",
        "Lock waits of the ingest thread; a wait with timeouts counts once",
        Source::Session(|g, points| points.put(g.totals.lock_waits.lock_waits)),
    ),
    Family::gauge(
        "tag52_lock_wait_longest_seconds",
        "Longest lock wait of the ingest thread since the session began",
        Source::Session(|g, points| {
            points.put(seconds(g.totals.lock_waits.longest_lock_wait_ns.into()));
        }),
    )
    .unit(Unit::Seconds),
    Family::counter(
        "tag52_tap_skipped_bytes_total",
        "Bytes skipped in the stream to find the next message",
        Source::Session(|g, points| points.put(g.totals.tap.skipped_bytes)),
    )
    .unit(Unit::Bytes),
    Family::counter(
        "tag52_tap_lost_bytes_total",
        "Bytes of the stream that did not reach the agent",
        Source::Session(|g, points| points.put(g.totals.tap.lost_bytes)),
    )
    .unit(Unit::Bytes),
    Family::counter(
        "tag52_tap_garbled_total",
        "Messages with wrong framing",
        Source::Session(|g, points| points.put(g.totals.tap.garbled)),
    ),
    Family::counter(
        "tag52_tap_incomplete_headers_total",
        "Messages whose header was too long or lacked a field",
        Source::Session(|g, points| points.put(g.totals.tap.incomplete_headers)),
    ),
];
