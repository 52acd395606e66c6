//! What keys, parts and columns mean.

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
        keys::{KEYS, KEYS_REPLAY},
        palette::Palette,
    },
    what_if::ASSUMPTIONS,
};

/// Draws the page.
pub(in super::super) fn draw_help(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    palette: Palette,
) {
    let mut lines: Vec<_> = KEYS.iter().map(|key| of_key(key, palette)).collect();
    if view.playback.is_some() {
        lines.extend(KEYS_REPLAY.iter().map(|key| of_key(key, palette)));
    }
    for pair in Part::ALL.chunks(2) {
        let mut cells: Vec<_> = pair
            .iter()
            .flat_map(|&part| {
                [
                    Span::styled(format!(" {} ", palette.fill(part)), palette.part(part)),
                    Span::raw(format!("{:<10}", human_name(part.name()))),
                    Span::raw(format!("{:<27}", of_part(part))),
                ]
            })
            .collect();
        if pair.len() == 1 {
            cells.push(Span::styled(format!(" {:<12}", "HOLDS"), palette.head()));
            cells.push(Span::raw("did not yield when asked"));
        }
        lines.push(cells.into());
    }
    for line in wrap(ASSUMPTIONS, usize::from(area.width.min(120))) {
        lines.push(Line::styled(line, palette.faint()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn of_key((key, what): &(&'static str, &'static str), palette: Palette) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!(" {key:<20}"), palette.head()),
        Span::raw(*what),
    ])
}

/// What the ingest thread does in a part.
const fn of_part(part: Part) -> &'static str {
    match part {
        Part::Network => "the message is in flight",
        Part::OnCpu => "the thread runs",
        Part::RunQueue => "ready, another has the CPU",
        Part::Throttle => "the CPU quota is used up",
        Part::LockWait => "asleep in futex(2): a lock",
        Part::Blocked => "asleep in another call",
        Part::Unknown => "not observed",
    }
}
