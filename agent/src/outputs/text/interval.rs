//! One readable line per session and interval.

use std::fmt::Write as _;

use super::{
    figures::ack_pending_share,
    label::session_label,
    style::TextStyle,
    verdict::{cause_names, time_to_max_latency},
    waiting::{deadlock, is_shown, waiting_detail, waiting_head},
};
use crate::{
    domain::{
        Part, Stage,
        units::{HumanBytes, HumanDuration, HumanPercent, HumanRate, counted, human_name},
    },
    model::{Interval, SessionFigures},
    stats::WaitingNow,
};

/// Up to this many sessions without messages are listed one by one; more are only counted.
const MAX_IDLE_LISTED: usize = 4;

/// The lines of one interval, each ended by a newline; empty without a session and a loss.
pub(crate) fn interval_lines(interval: &Interval, style: TextStyle) -> String {
    let (idle, busy): (Vec<_>, Vec<_>) = interval
        .sessions
        .iter()
        .partition(|s| s.figures.is_empty() && !s.waiting.as_ref().is_some_and(is_shown));
    let listed = if idle.len() <= MAX_IDLE_LISTED {
        interval.sessions.iter().collect()
    } else {
        busy
    };
    let width = listed
        .iter()
        .map(|s| session_label(s).chars().count())
        .max();
    let mut text = String::new();
    for s in &listed {
        session_line(&mut text, interval, s, width.unwrap_or(0), style);
    }
    if listed.len() < interval.sessions.len() {
        let _ = writeln!(text, "{} without messages", counted(idle.len(), "session"));
    }
    if let Some(line) = loss_line(interval) {
        let _ = writeln!(text, "{}", style.warn(&format!("tag52: {line}")));
    }
    text
}

/// How many events the agent lost in the interval; `None` when there are none. Their kinds matter
/// only to who inspects the agent: they are in the summary, in metrics and in the debug log.
pub(crate) fn loss_line(interval: &Interval) -> Option<String> {
    let lost: u64 = interval.lost.iter().map(|&(_, count)| count).sum();
    (lost > 0).then(|| {
        let events = counted(lost, "event");
        format!("{events} lost: affected time counts as unknown")
    })
}

fn session_line(
    text: &mut String,
    interval: &Interval,
    s: &SessionFigures,
    width: usize,
    style: TextStyle,
) {
    let f = &s.figures;
    let name = format!("{:width$}", session_label(s));
    let waiting = s.waiting.as_ref().filter(|now| is_shown(now));
    if let Some(stall) = s.stall().filter(|_| f.messages == 0) {
        let _ = writeln!(
            text,
            "{}  {}",
            style.bold(&name),
            waiting_head(stall, style)
        );
        waiting_line(text, s, stall, "");
        return;
    }
    let rate = HumanRate {
        events: f.messages,
        seconds: interval.length.as_secs_f64(),
    };
    let _ = write!(text, "{}  {rate} msg/s  ", style.bold(&name));
    match &f.age {
        Some(age) => {
            let _ = write!(
                text,
                "age p50 {} p99 {} max {} | {}{} | held-back {} | ",
                HumanDuration::from(age.p50_ns),
                HumanDuration::from(age.p99_ns),
                HumanDuration::from(age.max_ns),
                part_shares(s, style),
                ack_pending_share(f)
                    .map(|share| format!(" (our ACK pending {share} of network)"))
                    .unwrap_or_default(),
                HumanPercent {
                    part: f.sums.stage(Stage::HeldBack),
                    whole: f.sums_without_skew().total(),
                },
            );
            let unknown = format!("unknown {}", f.unknown_messages);
            if f.unknown_messages > 0 {
                text.push_str(&style.warn(&unknown));
            } else {
                text.push_str(&unknown);
            }
        }
        None => text.push_str("no fresh messages"),
    }
    for note in notes(s) {
        let _ = write!(text, " {}", style.warn(&format!("[{note}]")));
    }
    text.push('\n');
    if let Some(now) = waiting {
        let _ = writeln!(text, "    {}", waiting_head(now, style));
        waiting_line(text, s, now, "  ");
    }
    verdict_line(text, s, style);
}

/// What the reader does while something waits, and how long that may go on.
fn waiting_line(text: &mut String, s: &SessionFigures, now: &WaitingNow, more_indent: &str) {
    let _ = write!(
        text,
        "{}",
        waiting_detail(now, &format!("    {more_indent}"))
    );
    if let Some(deadlock) = deadlock(now) {
        let _ = write!(text, "\n    {more_indent}{deadlock}");
    }
    let flow = s.verdict.as_ref().filter(|_| now.stalled).map(|v| &v.flow);
    if let Some(left) = flow.and_then(|flow| flow.until_max_latency) {
        let _ = write!(text, "\n    {more_indent}{}", time_to_max_latency(left));
    }
    text.push('\n');
}

/// The verdict, unless the session is healthy.
fn verdict_line(text: &mut String, s: &SessionFigures, style: TextStyle) {
    let Some(verdict) = s.verdict.as_ref().filter(|v| !v.is_healthy()) else {
        return;
    };
    let _ = write!(text, "    {}", style.warn(&cause_names(verdict)));
    let _ = write!(text, ": {}", verdict.sentence);
    if let Some(left) = verdict.flow.until_max_latency {
        let _ = write!(text, " {}", style.alarm(&time_to_max_latency(left)));
    }
    text.push('\n');
}

/// Every part that is more than 0.0%, the largest first.
fn part_shares(s: &SessionFigures, style: TextStyle) -> String {
    let sums = s.figures.sums_without_skew();
    let whole = sums.total();
    let mut shares: Vec<_> = Part::ALL
        .into_iter()
        .map(|part| {
            let share = HumanPercent {
                part: sums.part(part),
                whole,
            };
            (part, share)
        })
        .filter(|(_, share)| share.shows())
        .collect();
    shares.sort_by_key(|(_, share)| std::cmp::Reverse(share.part));
    let each: Vec<_> = shares
        .into_iter()
        .map(|(part, share)| {
            let text = format!("{} {share}", human_name(part.name()));
            if part != Part::Network && share.ratio() >= 0.5 {
                style.alarm(&text)
            } else {
                text
            }
        })
        .collect();
    if each.is_empty() {
        return "no time but skew".to_owned();
    }
    each.join(" ")
}

/// What qualifies the figures.
fn notes(s: &SessionFigures) -> Vec<String> {
    let f = &s.figures;
    let mut notes = Vec::new();
    if f.coarse_ns > 0 {
        let mut note = format!("\u{b1}{}s", f.coarse_ns / 1_000_000_000);
        if let Some((min, max)) = f.narrowed.mean_ns() {
            note.push_str(", narrowed");
            if f.narrowed.messages < f.messages {
                let share = HumanPercent {
                    part: f.narrowed.messages.into(),
                    whole: f.messages.into(),
                };
                let _ = write!(note, " for {share}");
            }
            let _ = write!(
                note,
                ": mean age {} to {}",
                HumanDuration(min),
                HumanDuration(max)
            );
        }
        notes.push(note);
    }
    if f.skew.messages > 0 {
        notes.push(format!("skew {}", HumanDuration::from(f.skew.largest_ns)));
    }
    if f.resends > 0 {
        notes.push(format!("resends {}", f.resends));
    }
    if f.excluded.total() > 0 {
        notes.push(format!("excluded {}", f.excluded.total()));
    }
    if f.tap.garbled > 0 {
        notes.push(format!("garbled {}", f.tap.garbled));
    }
    if f.tap.skipped_bytes > 0 {
        notes.push(format!("skipped {}", HumanBytes(f.tap.skipped_bytes)));
    }
    if f.tap.lost_bytes > 0 {
        notes.push(format!("lost {}", HumanBytes(f.tap.lost_bytes)));
    }
    if f.tap.incomplete_headers > 0 {
        notes.push(format!("incomplete headers {}", f.tap.incomplete_headers));
    }
    if s.ended {
        notes.push("ended".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests;
