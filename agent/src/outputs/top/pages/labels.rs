//! Names, shares and texts that several pages show.

use ratatui::{Frame, layout::Rect, text::Line};

use crate::{
    domain::units::{HumanPercent, sanitize_name, wrap},
    outputs::top::data::{ScreenData, SessionView},
};

/// `VENUE>DROP :5002`; of a group `other sessions`.
pub(super) fn session_name(s: &SessionView) -> String {
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

/// A share of 0 to 1 in per cent.
pub(super) fn percent(share: f32) -> String {
    const WHOLE: i128 = 1_000_000;
    let part = (f64::from(share) * WHOLE as f64).round() as i128;
    HumanPercent { part, whole: WHOLE }.to_string()
}

/// The text in at most `max_lines` lines; `...` shows that it goes on.
pub(super) fn wrapped(text: &str, width: u16, max_lines: usize) -> Vec<Line<'static>> {
    let mut lines = wrap(text, usize::from(width));
    if lines.len() > max_lines {
        lines.truncate(max_lines);
        if let Some(last) = lines.last_mut() {
            while last.chars().count() + 4 > usize::from(width) {
                last.pop();
            }
            last.push_str(" ...");
        }
    }
    lines.into_iter().map(Line::raw).collect()
}

/// A line that says that there is nothing to show, and why.
pub(super) fn draw_nothing(frame: &mut Frame<'_>, area: Rect, view: &ScreenData, what: &str) {
    let line = match (&view.playback, view.ended) {
        (Some(_), true) => format!("the recording is over; no {what} was observed"),
        (Some(_), false) => format!("no {what} observed yet"),
        (None, true) => format!("{} has ended; no {what} was observed", view.target),
        (None, false) => format!("no {what} observed yet, waiting ({})", view.target),
    };
    frame.render_widget(Line::raw(line), area);
}
