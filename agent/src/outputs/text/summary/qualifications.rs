//! What qualifies the figures of a session: unknown time, stamps, clocks, window, stream.

use crate::{
    domain::{
        HandOff, Part, TapCounts,
        units::{HumanBytes, HumanDuration, HumanPercent, counted, human_name},
    },
    model::SessionFigures,
    outputs::text::figures::{ack_pending_share, list_counts},
    stats::Figures,
};

/// The qualifications of a session, each a clause; never empty.
pub(super) fn list(s: &SessionFigures) -> Vec<String> {
    let f = &s.figures;
    let mut clauses = vec![if f.unknown_messages == 0 {
        "no unknown time".to_owned()
    } else {
        format!("unknown time in {}", counted(f.unknown_messages, "message"))
    }];
    clauses.extend(stamps(f));
    if let Some(share) = ack_pending_share(f) {
        clauses.push(format!(
            "an ACK of ours was pending for {share} of the time in the network (a venue without \
             TCP_NODELAY waits for it)"
        ));
    }
    if s.lock_waits > 0 {
        clauses.push(format!(
            "{}, the longest {}",
            counted(s.lock_waits, "lock wait"),
            HumanDuration(i128::from(s.longest_lock_wait_ns))
        ));
    }
    clauses.extend(window(s));
    clauses.extend(hand_offs(f));
    if let Some(reasons) = list_counts(f.excluded.iter().map(|(k, n)| (k.name(), n))) {
        clauses.push(format!("excluded, without an age: {reasons}"));
    }
    clauses.extend(stream(f.tap));
    clauses
}

/// How messages were handed off, and how many never were.
fn hand_offs(f: &Figures) -> Vec<String> {
    let mut clauses = Vec::new();
    let is_hand_off = |&(kind, _): &(HandOff, u64)| kind != HandOff::Never;
    let kinds = f.hand_offs.iter().filter(is_hand_off);
    if let Some(kinds) = list_counts(kinds.map(|(kind, n)| (kind.name(), n))) {
        clauses.push(format!("hand-offs: {kinds}"));
    }
    let never: u64 = f
        .hand_offs
        .iter()
        .filter(|kind| !is_hand_off(kind))
        .map(|(_, n)| n)
        .sum();
    if never > 0 {
        clauses.push(format!(
            "{} never handed off, because the thread or the socket ended: the age is the one \
             reached by then",
            counted(never, "message")
        ));
    }
    clauses
}

/// What was wrong with the byte stream; `None` when nothing was.
fn stream(tap: TapCounts) -> Option<String> {
    let all = [
        (tap.garbled, counted(tap.garbled, "garbled message")),
        (
            tap.skipped_bytes,
            format!("{} skipped", HumanBytes(tap.skipped_bytes)),
        ),
        (
            tap.lost_bytes,
            format!("{} lost", HumanBytes(tap.lost_bytes)),
        ),
        (
            tap.incomplete_headers,
            counted(tap.incomplete_headers, "incomplete header"),
        ),
    ];
    let each: Vec<_> = all
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(_, text)| text)
        .collect();
    (!each.is_empty()).then(|| format!("stream: {}", each.join(", ")))
}

/// What the venue's stamps and clock allow to say of the ages.
fn stamps(f: &Figures) -> Vec<String> {
    let mut clauses = Vec::new();
    if f.coarse_ns > 0 {
        clauses.push(format!(
            "tag 52 has a resolution of {}: ages are upper bounds, up to that much too high",
            HumanDuration::from(f.coarse_ns)
        ));
    }
    if let Some((min, max)) = f.narrowed.mean_ns() {
        clauses.push(format!(
            "the order of the venue's sends narrows that to {} or less for {}, with a mean \
             age of {} to {}",
            HumanDuration::from(f.narrowed.widest_ns),
            counted(f.narrowed.messages, "message"),
            HumanDuration(min),
            HumanDuration(max)
        ));
    }
    if f.skew.messages > 0 {
        clauses.push(format!(
            "the venue's clock was ahead of ours in {}, by at most {} ({} in total)",
            counted(f.skew.messages, "message"),
            HumanDuration::from(f.skew.largest_ns),
            HumanDuration(f.skew.sum_ns)
        ));
    }
    clauses
}

/// How long the receive window was closed, and what the ingest thread did meanwhile; `None` when
/// it never was.
fn window(s: &SessionFigures) -> Option<String> {
    let window = &s.window;
    let whole = i128::from(window.closed_ns());
    let mut parts: Vec<_> = Part::ALL
        .into_iter()
        .map(|part| (i128::from(window.parts[part as usize]), part))
        .filter(|&(part, _)| HumanPercent { part, whole }.shows())
        .collect();
    parts.sort_by_key(|&(ns, _)| std::cmp::Reverse(ns));
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(part, name)| {
            let share = HumanPercent { part, whole };
            format!("{} {share}", human_name(name.name()))
        })
        .collect();
    (window.closed > 0).then(|| {
        format!(
            "the receive window was closed {}, for {} in total, the longest {}: {}",
            counted(window.closed, "time"),
            HumanDuration(whole),
            HumanDuration(i128::from(window.longest_ns)),
            parts.join(", ")
        )
    })
}
