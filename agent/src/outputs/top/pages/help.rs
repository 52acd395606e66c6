//! What the keys and the words mean.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use crate::{
    domain::{
        Part,
        units::{human_name, wrap},
    },
    outputs::top::{
        data::ScreenData,
        keys::{KEYS, KEYS_PLAYING},
        palette::Palette,
    },
    what_if::ASSUMPTIONS,
};

/// Draws it.
pub(in super::super) fn help(frame: &mut Frame<'_>, area: Rect, view: &ScreenData, paint: Palette) {
    let mut lines: Vec<_> = KEYS.iter().map(|key| of_key(key, paint)).collect();
    if view.playing.is_some() {
        lines.extend(KEYS_PLAYING.iter().map(|key| of_key(key, paint)));
    }
    for pair in Part::ALL.chunks(2) {
        let cells = pair.iter().flat_map(|&part| {
            [
                Span::styled(format!(" {} ", paint.fill(part)), paint.part(part)),
                Span::raw(format!("{:<10}", human_name(part.name()))),
                Span::raw(format!("{:<27}", of_part(part))),
            ]
        });
        lines.push(cells.collect());
    }
    for line in wrap(ASSUMPTIONS, usize::from(area.width.min(120))) {
        lines.push(Line::styled(line, paint.faint()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn of_key((key, what): &(&'static str, &'static str), paint: Palette) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!(" {key:<20}"), paint.head()),
        Span::raw(*what),
    ])
}

/// What the ingest thread does meanwhile.
const fn of_part(part: Part) -> &'static str {
    match part {
        Part::Network => "the message is in flight",
        Part::OnCpu => "the thread runs",
        Part::RunQueue => "another has its CPU",
        Part::Throttle => "the CPU quota is used up",
        Part::LockWait => "asleep in futex(2): a lock",
        Part::Blocked => "asleep in another call",
        Part::Unknown => "not observed",
    }
}
