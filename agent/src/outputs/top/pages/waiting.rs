//! What waits on a session now.

use ratatui::text::Line;

use super::labels::wrapped;
use crate::{
    domain::units::HumanDuration,
    outputs::{
        text::{
            TextStyle,
            waiting::{
                age_by_part, deadlock, is_shown, last_hand_off, reader_activity, waiting_head,
            },
        },
        top::{data::SessionView, palette::Palette},
    },
};

/// Lines of a deadlock at most: it names the threads of its cycle.
const MAX_DEADLOCK_LINES: usize = 2;

/// What waits in two or three words, where it is not worth lines of its own; `None` before the
/// first sample.
pub(super) fn state(s: &SessionView) -> Option<String> {
    let now = s.waiting().filter(|now| !is_shown(now))?;
    Some(if now.waiting.is_empty() {
        "nothing waits".to_owned()
    } else {
        format!("waiting {}", HumanDuration::from(now.waiting.age_ns()))
    })
}

/// How much waits, how old it is and why, and what the reader does at this instant; empty when
/// nothing waits that is worth mentioning.
pub(super) fn lines(s: &SessionView, width: u16, palette: Palette) -> Vec<Line<'static>> {
    let Some(now) = s.waiting().filter(|now| is_shown(now)) else {
        return Vec::new();
    };
    let style = if now.stalled {
        palette.alarm()
    } else {
        palette.warn()
    };
    let mut age = age_by_part(now);
    if let Some(at) = last_hand_off(now) {
        age = format!("{at}; {age}");
    }
    let mut lines = wrapped(&waiting_head(now, TextStyle::Plain), width, 1);
    lines[0] = lines[0].clone().style(style);
    lines.extend(wrapped(&age, width, 1));
    let reader = format!("now: {}", reader_activity(now));
    lines.extend(wrapped(&reader, width, 1));
    if let Some(text) = deadlock(now) {
        let text = wrapped(&text, width, MAX_DEADLOCK_LINES);
        lines.extend(text.into_iter().map(|line| line.style(palette.alarm())));
    }
    lines
}
