//! What waits on a session now, in words.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::style::TextStyle;
use crate::{
    domain::{
        Culprit, OwnerEvidence, Part, Waiting,
        units::{HumanBytes, HumanDuration, HumanPercent, grouped, human_name, sanitize},
    },
    stats::WaitingNow,
};

/// The least waiting age that an interval line of a session that is not stalled mentions,
/// nanoseconds.
const MIN_SHOWN_NS: i64 = 100_000_000;

/// Columns of a line at most.
const MAX_COLUMNS: usize = 100;

/// Whether the interval lines mention what waits: the session is stalled, or the waiting age is at
/// least [`MIN_SHOWN_NS`].
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

/// How much is in hand and in the receive queue, and for how long the receive window has been
/// closed: `13 in hand, ~5,580 queued (2.2 MiB), window closed 8.1s`.
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
    let tail = last_hand_off(now).map_or_else(String::new, |text| format!("; {text}"));
    let room = MAX_COLUMNS.saturating_sub(indent.len() + tail.chars().count());
    let what = format!("{}{}", shares(now), activity(now));
    format!("{indent}{}{tail}", shortened(&what, room))
}

/// When a message was handed off last; `None` before the first.
pub(crate) fn last_hand_off(now: &WaitingNow) -> Option<String> {
    let at_ns = now.waiting.last_hand_off_ns?;
    Some(format!("last hand-off {}", time_of_day(now.utc_ns(at_ns))))
}

/// `waiting age 9.30s: blocked 8.30s 89.2%, run-queue 1.00s 10.8%`, the largest part first; parts
/// that are 0.0% have no place.
pub(crate) fn age_by_part(now: &WaitingNow) -> String {
    let matrix = now.waiting.split.matrix();
    let whole = i128::from(now.waiting.age_ns());
    let mut parts: Vec<_> = Part::ALL
        .into_iter()
        .map(|part| (part, matrix.part(part)))
        .filter(|&(_, ns)| ns > 0)
        .collect();
    parts.sort_by_key(|&(_, ns)| std::cmp::Reverse(ns));
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(part, ns)| {
            let share = HumanPercent {
                part: ns.into(),
                // Skew makes the sum smaller than the part.
                whole: whole.max(ns.into()),
            };
            (part, ns, share)
        })
        .filter(|(.., share)| share.shows())
        .map(|(part, ns, share)| {
            let time = HumanDuration::from(ns);
            format!("{} {time} {share}", human_name(part.name()))
        })
        .collect();
    let bound = if now.waiting.is_lower_bound {
        "at least "
    } else {
        ""
    };
    let age = HumanDuration(whole);
    format!("waiting age {bound}{age}: {}", parts.join(", "))
}

/// `thread 412 blocked for 9.30s: recvfrom on a socket to 10.0.0.7:5432`.
pub(crate) fn reader_activity(now: &WaitingNow) -> String {
    let Some(reader) = &now.waiting.reader else {
        return activity(now);
    };
    let state = human_name(reader.state.name());
    let since = HumanDuration(now.waiting.since(reader.since_ns).into());
    let mut text = format!("thread {} {state} for {since}", reader.tid);
    if now.culprit.is_some() {
        let _ = write!(text, ": {}", activity(now));
    }
    text
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
fn activity(now: &WaitingNow) -> String {
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
    match (&**culprit, reader.owner) {
        (Culprit::Holder { lock, .. }, OwnerEvidence::None) => {
            format!("{lock}, owner not known")
        }
        (Culprit::Holder { lock, thread }, OwnerEvidence::LastRelease) => {
            format!("{lock}, last released by {}", sanitize(&thread.to_string()))
        }
        _ => sanitize(&culprit.to_string()),
    }
}

/// `DEADLOCK: the reader -> orders/415 -> the reader, each waits for the next`; `None` without one.
pub(crate) fn deadlock(now: &WaitingNow) -> Option<String> {
    let reader = now.waiting.reader.as_ref()?;
    let threads = &reader.deadlock;
    if threads.iter().any(|thread| thread.tid == reader.tid) {
        return Some("DEADLOCK: the reader waits for a lock that it has itself".to_owned());
    }
    let names: Vec<_> = threads
        .iter()
        .map(|thread| sanitize(&thread.to_string()))
        .collect();
    (!names.is_empty()).then(|| {
        let chain = names.join(" -> ");
        let text =
            format!("DEADLOCK: the reader -> {chain} -> the reader, each waits for the next");
        shortened(&text, MAX_COLUMNS - 6)
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
