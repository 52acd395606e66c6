//! Why the messages of a session are old, in words.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::labels::{percent, wrapped};
use crate::{
    domain::{
        Part,
        units::{HumanDuration, human_name, sanitize},
    },
    model::IntervalPoint,
    outputs::{
        text::{cause_names, waiting::last_hand_off},
        top::{
            data::{FigureScope, ScreenData, SessionView},
            palette::Palette,
        },
    },
    verdict::{Cause, Verdict},
};

/// The causes and the main culprit; before there is a verdict, the largest part.
pub(super) fn cause(s: &SessionView, scope: FigureScope) -> String {
    let Some(verdict) = s.verdict(scope) else {
        return match s.point().and_then(largest_part) {
            Some((part, share)) => format!("{} {}", human_name(part.name()), percent(share)),
            None if s.is_quiet() => "quiet".to_owned(),
            None => "-".to_owned(),
        };
    };
    let part = verdict.causes.first().copied().and_then(part_of);
    let who = part.and_then(|part| s.main_culprit(scope, part));
    let mut text = cause_names(verdict);
    if let Some(who) = who {
        // The name of the cause says what it did.
        let who = who
            .thread()
            .map_or_else(|| who.to_string(), |t| t.to_string());
        text.push_str(&sanitize(&format!(": {who}")));
    }
    text
}

/// The verdict and its advice in at most `max_lines` lines of at most `width` columns; the first
/// line names the cause.
pub(super) fn diagnosis(
    s: &SessionView,
    view: &ScreenData,
    scope: FigureScope,
    (width, max_lines): (u16, usize),
    palette: Palette,
) -> Vec<Line<'static>> {
    let Some(verdict) = s.verdict(scope) else {
        let text = match s.point() {
            Some(point) if point.messages > 0 => cause(s, scope),
            _ if s.is_quiet() => quiet(s),
            _ => "no fresh messages".to_owned(),
        };
        return vec![Line::raw(text)];
    };
    let style = if verdict.is_healthy() {
        palette.good()
    } else {
        palette.alarm()
    };
    let mut first = Line::from(Span::styled(cause_names(verdict), style));
    if let Some(left) = verdict.flow.until_max_latency {
        first.push_span(time_left(left, view.max_latency, palette));
    }
    let advice = match verdict.advice.as_str() {
        "" => Vec::new(),
        advice => {
            let advice = sanitize(&format!("What to do: {advice}"));
            wrapped(&advice, width, max_lines / 2)
        }
    };
    let left = max_lines.saturating_sub(1 + advice.len());
    let mut lines = vec![first];
    lines.extend(wrapped(&sanitize(&verdict.sentence), width, left));
    lines.extend(advice.into_iter().map(|line| line.style(palette.head())));
    lines
}

/// That nothing waits, and since when.
fn quiet(s: &SessionView) -> String {
    let since = s.waiting().and_then(last_hand_off);
    since.map_or_else(
        || "quiet: nothing waits".to_owned(),
        |since| format!("quiet: nothing waits, {since}"),
    )
}

/// Rates of arrivals and of draining, backlog and trend in a few words.
pub(super) fn flow(verdict: &Verdict) -> String {
    let flow = &verdict.flow;
    let mut text = String::new();
    if let Some(arrivals) = flow.arrivals_per_s {
        text.push_str(&format!("{arrivals:.0} in, "));
    }
    text.push_str(&format!("{:.0} out per second", flow.drained_per_s));
    if let Some(backlog) = flow.backlog_messages {
        text.push_str(&format!(", backlog {backlog}"));
    }
    if let Some(slope) = flow.age_slope {
        text.push_str(&format!(", age {slope:+.2} s/s"));
    }
    text
}

/// The time until messages reach MaxLatency.
fn time_left(left: Duration, max_latency: Duration, palette: Palette) -> Span<'static> {
    let ns =
        |length: Duration| HumanDuration(i128::try_from(length.as_nanos()).unwrap_or(i128::MAX));
    let limit = ns(max_latency);
    if left.is_zero() {
        Span::styled(format!("  MaxLatency {limit} is exceeded"), palette.alarm())
    } else {
        Span::styled(
            format!("  MaxLatency {limit} in {}", ns(left)),
            palette.warn(),
        )
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

/// The part that a cause makes long, where a culprit can be charged with it.
const fn part_of(cause: Cause) -> Option<Part> {
    match cause {
        Cause::StarvedByLock => Some(Part::LockWait),
        Cause::Throttled => Some(Part::Throttle),
        Cause::RunQueuePressure => Some(Part::RunQueue),
        Cause::SlowSink => Some(Part::Blocked),
        _ => None,
    }
}
