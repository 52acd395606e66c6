//! The pages.

mod cgroup;
mod session;
mod sessions;
mod threads;

pub(super) use cgroup::cgroup;
pub(super) use session::session;
pub(super) use sessions::sessions;
pub(super) use threads::threads;

use ratatui::{Frame, layout::Rect, text::Line};

use super::view::{SessionView, View};
use crate::{
    model::{Part, Point},
    outputs::units::{Share, humanly, tame},
};

/// A share of 0 to 1 as text.
fn percent(share: f32) -> String {
    const WHOLE: i128 = 1_000_000;
    let part = (f64::from(share) * WHOLE as f64).round() as i128;
    Share { part, whole: WHOLE }.to_string()
}

/// `VENUE>DROP`, and the port where it is one connection.
fn name(s: &SessionView) -> String {
    match s.name.id() {
        Some(id) => format!(
            "{}>{} :{}",
            tame(&id.sender),
            tame(&id.target),
            id.local.port()
        ),
        None => format!("{} sessions", s.name.sender()),
    }
}

/// The part that makes up most of the ages outside of the network, and how much; `None` when that is
/// less than the network's.
fn largest_part(point: &Point) -> Option<(Part, f32)> {
    let share = |part: Part| point.parts[part as usize];
    let largest = Part::ALL
        .into_iter()
        .max_by(|&a, &b| share(a).total_cmp(&share(b)))?;
    (share(largest) > 0.0).then(|| (largest, share(largest)))
}

/// The verdict in a few words; before there is one, the largest part.
fn cause(s: &SessionView) -> String {
    match (&s.verdict, s.point().and_then(largest_part)) {
        (Some(verdict), _) => clean(verdict),
        (None, Some((part, share))) => format!("{} {}", humanly(part.name()), percent(share)),
        (None, None) => "-".to_owned(),
    }
}

/// Text with names from outside in it, without anything that could steer a terminal.
fn clean(text: &str) -> String {
    crate::outputs::units::harmless_only(text)
}

/// Says that there is nothing to show yet.
fn nothing(frame: &mut Frame<'_>, area: Rect, view: &View, what: &str) {
    let line = if view.ended {
        format!("{} has ended; {what} was seen", view.watched)
    } else {
        format!("{what} seen yet, waiting for {}", view.watched)
    };
    frame.render_widget(Line::raw(line), area);
}
