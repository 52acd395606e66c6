//! The pages.

mod blame_table;
mod cgroup;
mod help;
mod session;
mod sessions;
mod threads;

pub(super) use cgroup::cgroup;
pub(super) use help::help;
pub(super) use session::session;
pub(super) use sessions::sessions;
pub(super) use threads::threads;

use std::time::Duration;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    data::{FigureScope, ScreenData, SessionView},
    palette::Palette,
};
use crate::{
    domain::{
        Part,
        units::{HumanDuration, HumanPercent, human_name, sanitize, sanitize_name, wrap},
    },
    model::Point,
    outputs::text::names,
    verdict::{Cause, Verdict},
};

/// A share of 0 to 1 as text.
fn percent(share: f32) -> String {
    const WHOLE: i128 = 1_000_000;
    let part = (f64::from(share) * WHOLE as f64).round() as i128;
    HumanPercent { part, whole: WHOLE }.to_string()
}

/// `VENUE>DROP`, and the port where it is one connection.
fn name(s: &SessionView) -> String {
    match s.name.id() {
        Some(id) => format!(
            "{}>{} :{}",
            sanitize_name(&id.sender),
            sanitize_name(&id.target),
            id.local.port()
        ),
        None => format!("{} sessions", s.name.sender()),
    }
}

/// The part that makes up most of the ages, and how much; `None` without messages.
fn largest_part(point: &IntervalPoint) -> Option<(Part, f32)> {
    let share = |part: Part| point.parts[part as usize];
    let largest = Part::ALL
        .into_iter()
        .max_by(|&a, &b| share(a).total_cmp(&share(b)))?;
    (share(largest) > 0.0).then(|| (largest, share(largest)))
}

/// The part that a cause makes long, where somebody can be charged with it.
const fn part_of(cause: Cause) -> Option<Part> {
    match cause {
        Cause::StarvedByLock => Some(Part::LockWait),
        Cause::Throttled => Some(Part::Throttle),
        Cause::RunQueuePressure => Some(Part::RunQueue),
        Cause::SlowSink => Some(Part::Blocked),
        _ => None,
    }
}

/// The verdict in a few words, and who it is; before there is one, the largest part.
fn cause(s: &SessionView, scope: FigureScope) -> String {
    let Some(verdict) = s.verdict(scope) else {
        let largest = s.point().and_then(largest_part);
        return largest.map_or_else(
            || "-".to_owned(),
            |(part, share)| format!("{} {}", human_name(part.name()), percent(share)),
        );
    };
    let part = verdict.causes.first().copied().and_then(part_of);
    let who = part.and_then(|part| s.worst(scope, part));
    let mut text = names(verdict);
    if let Some(who) = who {
        // The name of the cause tells what it did.
        let who = who
            .thread()
            .map_or_else(|| who.to_string(), |t| t.to_string());
        text.push_str(&clean(&format!(": {who}")));
    }
    text
}

/// What is the matter and what to do, in lines of at most `width`, at most `most` of them; the
/// first is for the cause.
fn diagnosis(
    s: &SessionView,
    view: &ScreenData,
    scope: FigureScope,
    (width, most): (u16, usize),
    paint: Palette,
) -> Vec<Line<'static>> {
    let Some(verdict) = s.verdict(scope) else {
        let text = match s.point() {
            Some(point) if point.messages > 0 => cause(s, scope),
            _ => "no fresh messages".to_owned(),
        };
        return vec![Line::raw(text)];
    };
    let style = if verdict.is_healthy() {
        paint.good()
    } else {
        paint.alarm()
    };
    let mut first = Line::from(Span::styled(names(verdict), style));
    if let Some(left) = verdict.flow.until_max_latency {
        first.push_span(time_left(left, view.max_latency, paint));
    }
    let advice = match verdict.advice.as_str() {
        "" => Vec::new(),
        advice => {
            let advice = clean(&format!("What to do: {advice}"));
            few(&advice, width, most / 2)
        }
    };
    let left = most.saturating_sub(1 + advice.len());
    let mut lines = vec![first];
    lines.extend(few(&clean(&verdict.sentence), width, left));
    lines.extend(advice.into_iter().map(|line| line.style(paint.head())));
    lines
}

/// The text in at most `most` lines; that it goes on is shown.
fn few(text: &str, width: u16, most: usize) -> Vec<Line<'static>> {
    let mut lines = wrap(text, usize::from(width));
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            while last.chars().count() + 4 > usize::from(width) {
                last.pop();
            }
            last.push_str(" ...");
        }
    }
    lines.into_iter().map(Line::raw).collect()
}

/// What is left until messages are too old.
fn time_left(left: Duration, max_latency: Duration, paint: Palette) -> Span<'static> {
    let ns =
        |length: Duration| HumanDuration(i128::try_from(length.as_nanos()).unwrap_or(i128::MAX));
    let limit = ns(max_latency);
    if left.is_zero() {
        Span::styled(format!("  MaxLatency {limit} is passed"), paint.alarm())
    } else {
        Span::styled(
            format!("  MaxLatency {limit} in {}", ns(left)),
            paint.warn(),
        )
    }
}

/// What came in, what is drained and where that leads, in a few words.
fn flow(verdict: &Verdict) -> String {
    let flow = &verdict.flow;
    let mut text = String::new();
    if let Some(arrivals) = flow.arrivals_per_s {
        text.push_str(&format!("{arrivals:.0} in, "));
    }
    text.push_str(&format!("{:.0} out a second", flow.drained_per_s));
    if let Some(backlog) = flow.backlog_messages {
        text.push_str(&format!(", backlog {backlog}"));
    }
    if let Some(slope) = flow.age_slope {
        text.push_str(&format!(", age {slope:+.2} s/s"));
    }
    text
}

/// Text with names from outside in it, without anything that could steer a terminal.
fn clean(text: &str) -> String {
    sanitize(text)
}

/// Says that there is nothing to show yet.
fn nothing(frame: &mut Frame<'_>, area: Rect, view: &ScreenData, what: &str) {
    let line = match (&view.playing, view.ended) {
        (Some(_), true) => format!("the recording is over; {what} was seen"),
        (Some(_), false) => format!("{what} seen yet"),
        (None, true) => format!("{} has ended; {what} was seen", view.watched),
        (None, false) => format!("{what} seen yet, waiting for {}", view.watched),
    };
    frame.render_widget(Line::raw(line), area);
}
