//! The metrics of what waits now.

use super::family::{Family, Source};
use crate::{
    domain::Part,
    outputs::metrics::{
        metric::{Unit, label},
        points::seconds,
    },
};

const NONE: &str = "once the session has ended; for `other`";

/// Where messages wait: in the application, and in the receive queue.
const IN_APP: (&str, &str) = ("stage", "in_app");
const QUEUED: (&str, &str) = ("stage", "queued");

pub(super) static FAMILIES: [Family; 6] = [
    Family::gauge(
        "tag52_waiting_age_seconds",
        "Age of the oldest message that waits for the reader, four times a second; 0 when nothing \
         waits. A lower bound while it has not been read",
        Source::Session(|g, points| {
            if let Some(now) = g.latest.waiting() {
                points.put(seconds(now.age_ns().into()));
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent(NONE),
    Family::gauge(
        "tag52_waiting_part_seconds",
        "The parts of tag52_waiting_age_seconds; they sum to it",
        Source::Session(|g, points| {
            if let Some(now) = g.latest.waiting() {
                for part in Part::ALL {
                    let ns = now.split.matrix().part(part);
                    points.put_by(&[("part", part.name())], seconds(ns.into()));
                }
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(
        &[label("part", "what the oldest message has waited for")],
        Part::ALL.len() as u64,
    )
    .absent(NONE),
    Family::gauge(
        "tag52_waiting_messages",
        "Messages that wait: received and not handed off (exact), and in the receive queue \
         (estimated by the mean length)",
        Source::Session(|g, points| {
            if let Some(now) = g.latest.waiting() {
                points.put_by(&[IN_APP], now.in_hand.messages);
                points.put_by(&[QUEUED], now.queued.messages.unwrap_or(0));
            }
        }),
    )
    .by(&[label("stage", "`in_app` or `queued`")], 2)
    .absent(NONE),
    Family::gauge(
        "tag52_waiting_bytes",
        "Bytes that wait: received and not handed off, and in the receive queue",
        Source::Session(|g, points| {
            if let Some(now) = g.latest.waiting() {
                points.put_by(&[IN_APP], now.in_hand.bytes);
                points.put_by(&[QUEUED], now.queued.bytes);
            }
        }),
    )
    .unit(Unit::Bytes)
    .by(&[label("stage", "`in_app` or `queued`")], 2)
    .absent(NONE),
    Family::gauge(
        "tag52_stalled",
        "Whether something waits and nothing was handed off for longer than what counts as healthy \
         (10 ms), and half a second at the least (1 or 0)",
        Source::Session(|g, points| {
            if g.latest.waiting().is_some() {
                points.put(u64::from(g.latest.is_stalled()));
            }
        }),
    )
    .absent(NONE),
    Family::gauge(
        "tag52_last_hand_off_timestamp_seconds",
        "When a message of the session was handed off last, UTC",
        Source::Session(|g, points| {
            if let Some(ns) = g.latest.last_hand_off_utc_ns() {
                points.put(seconds(ns.into()));
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent("before the first hand-off; once the session has ended; for `other`"),
];
