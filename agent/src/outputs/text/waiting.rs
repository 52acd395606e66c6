//! What waits on a session now, in words.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::style::TextStyle;
use crate::{
    domain::{
        OwnerEvidence, Part, Waiting,
        units::{HumanBytes, HumanDuration, HumanPercent, grouped, human_name, sanitize},
    },
    stats::WaitingNow,
};

/// What waits for less is not mentioned, nanoseconds.
const MIN_SHOWN_NS: i64 = 100_000_000;

/// Columns of a line at most.
const MAX_COLUMNS: usize = 100;

/// Whether it is worth a line.
pub(crate) fn is_shown(now: &WaitingNow) -> bool {
    now.stalled || now.waiting.age_ns() >= MIN_SHOWN_NS
}

/// `STALLED 9.3s  13 in hand, ~5,580 queued (2.2 MiB), window closed 8.1s`; `waiting` and the age
/// where messages are handed off all the same.
pub(crate) fn waiting_head(now: &WaitingNow, style: TextStyle) -> String {
    let waiting = &now.waiting;
    let state = if now.stalled {
        let stalled_for = HumanDuration(waiting.without_hand_off_ns().into());
        style.alarm(&format!("STALLED {stalled_for}"))
    } else {
        format!("waiting {}", HumanDuration::from(waiting.age_ns()))
    };
    format!("{state}  {}", amounts(waiting))
}

/// How much waits where.
pub(crate) fn amounts(waiting: &Waiting) -> String {
    let mut each = Vec::new();
    if waiting.in_hand.messages > 0 {
        each.push(format!("{} in hand", grouped(waiting.in_hand.messages)));
    }
    if waiting.queued.bytes > 0 {
        let bytes = HumanBytes(waiting.queued.bytes);
        each.push(match waiting.queued.messages {
            Some(messages) => format!("~{} queued ({bytes})", grouped(messages)),
            None => format!("{bytes} queued"),
        });
    }
    if let Some(since_ns) = waiting.window_closed_since_ns {
        let closed = HumanDuration(waiting.since(since_ns).into());
        each.push(format!("window closed {closed}"));
    }
    each.join(", ")
}

/// `blocked 100%: recvfrom on a socket to 10.0.0.7:5432; last hand-off 14:03:12`, at most
/// [`MAX_COLUMNS`] with its indentation.
pub(crate) fn waiting_detail(now: &WaitingNow, indent: &str) -> String {
    let mut tail = String::new();
    if let Some(at_ns) = now.waiting.last_hand_off_ns {
        let _ = write!(tail, "; last hand-off {}", time_of_day(now.utc_ns(at_ns)));
    }
    let room = MAX_COLUMNS.saturating_sub(indent.len() + tail.chars().count());
    let what = format!("{}{}", shares(now), activity(now));
    format!("{indent}{}{tail}", shortened(&what, room))
}

/// The part with most of the waiting age, and its share.
fn shares(now: &WaitingNow) -> String {
    let Some(part) = now.largest_part() else {
        return String::new();
    };
    let matrix = now.waiting.split.matrix();
    let share = HumanPercent {
        part: matrix.part(part).into(),
        // Skew makes the sum smaller than the part.
        whole: now.waiting.age_ns().max(matrix.part(part)).into(),
    };
    format!("{} {share}: ", human_name(part.name()))
}

/// What the reader does at this instant.
pub(crate) fn activity(now: &WaitingNow) -> String {
    let Some(reader) = &now.waiting.reader else {
        return "the reader is not observed".to_owned();
    };
    let Some(culprit) = &now.culprit else {
        let for_ns = HumanDuration(now.waiting.since(reader.since_ns).into());
        return match reader.state {
            Part::OnCpu => format!("the reader runs, for {for_ns}"),
            state => format!("now {} for {for_ns}", human_name(state.name())),
        };
    };
    let mut text = sanitize(&culprit.to_string());
    if reader.owner == OwnerEvidence::LastRelease {
        text.push_str(" (released it last)");
    }
    text
}

/// `DEADLOCK: the reader waits for a lock of orders/415, who waits for one of the reader`; `None`
/// without one.
pub(crate) fn deadlock(now: &WaitingNow) -> Option<String> {
    let threads = &now.waiting.reader.as_ref()?.deadlock;
    let names: Vec<_> = threads
        .iter()
        .map(|thread| sanitize(&thread.to_string()))
        .collect();
    (!names.is_empty()).then(|| {
        let chain = names.join(", who waits for a lock of ");
        format!("DEADLOCK: the reader waits for a lock of {chain}, who waits for one of the reader")
    })
}

/// An instant in UTC.
fn time_of_day(utc_ns: i64) -> String {
    Timestamp::from_nanosecond(utc_ns.into())
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%H:%M:%S").to_string())
}

/// At most so many characters, the last one an ellipsis where some are missing.
fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('\u{2026}');
    short
}
