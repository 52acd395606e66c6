//! The frame around the pages.

use jiff::Timestamp;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};

use super::{
    data::ScreenData,
    keys::{KEY_LINE, KEY_LINE_REPLAY},
    page::Page,
    pages,
    palette::Palette,
    playback::PlaybackStatus,
    state::ScreenState,
};
use crate::domain::units::HumanDuration;

/// Columns of the smallest terminal that the pages fit in.
const MIN_WIDTH: u16 = 80;

/// Its lines.
const MIN_HEIGHT: u16 = 24;

/// Draws the page that the state names, with the lines around it.
pub(super) fn draw(frame: &mut Frame<'_>, view: &ScreenData, state: &ScreenState) {
    let area = frame.area();
    let palette = Palette {
        colour: state.colour,
    };
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        too_small(frame, area);
        return;
    }
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(headline(view, state, palette), head);
    frame.render_widget(pages_line(state, palette), tabs);
    if let Some(playback) = &view.playback {
        let right = playback_line(playback, view.ended, palette).right_aligned();
        frame.render_widget(right, tabs);
    }
    match state.page {
        _ if state.help => pages::draw_help(frame, body, view, palette),
        Page::Sessions => pages::draw_sessions(frame, body, view, state, palette),
        Page::Session => pages::draw_session(frame, body, view, state, palette),
        Page::Threads => pages::draw_threads(frame, body, view, state, palette),
        Page::Cgroup => pages::draw_cgroup(frame, body, view, state, palette),
    }
    let help = if view.playback.is_some() {
        KEY_LINE_REPLAY
    } else {
        KEY_LINE
    };
    frame.render_widget(Line::styled(help, palette.faint()), foot);
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let text = [
        Line::raw(format!("{}x{} is too small", area.width, area.height)),
        Line::raw(format!("tag52 top needs {MIN_WIDTH}x{MIN_HEIGHT}")),
        Line::raw("q quits"),
    ];
    for (line, row) in text.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

/// An instant in UTC, by a format of strftime.
fn clock(utc_ns: i64, format: &str) -> String {
    Timestamp::from_nanosecond(utc_ns.into())
        .map(|at| at.strftime(format).to_string())
        .unwrap_or_default()
}

fn headline(view: &ScreenData, state: &ScreenState, palette: Palette) -> Line<'static> {
    let mut line = Line::default();
    match &view.playback {
        Some(playback) => {
            let at = clock(playback.position_ns, "%Y-%m-%d %H:%M:%S UTC");
            line.push_span(Span::styled("tag52 replay", palette.head()));
            line.push_span(Span::raw(format!("  {}  ", view.target)));
            line.push_span(Span::styled(at, palette.head()));
        }
        None => {
            let length = HumanDuration(view.watched_for.as_nanos().cast_signed());
            line.push_span(Span::styled("tag52 top", palette.head()));
            line.push_span(Span::raw(format!("  {} watched for {length}", view.target)));
            if view.now_ns != 0 {
                let at = clock(view.now_ns, "  %H:%M:%S UTC");
                line.push_span(Span::raw(at));
            }
        }
    }
    if view.ended && view.playback.is_none() {
        line.push_span(Span::styled("  ended", palette.alarm()));
    }
    if state.paused {
        line.push_span(Span::styled("  paused", palette.warn()));
    }
    if !view.agent.lost.is_empty() {
        line.push_span(Span::styled("  events lost: see page 4", palette.alarm()));
    }
    line
}

fn pages_line(state: &ScreenState, palette: Palette) -> Line<'static> {
    Page::ALL
        .into_iter()
        .enumerate()
        .map(|(n, page)| {
            if page == state.page && !state.help {
                Span::styled(format!("[{} {}] ", n + 1, page.name()), palette.head())
            } else {
                Span::styled(format!(" {} {}  ", n + 1, page.name()), palette.faint())
            }
        })
        .collect()
}

/// The speed of a replay and how far it is.
fn playback_line(playback: &PlaybackStatus, ended: bool, palette: Palette) -> Line<'static> {
    const METER: usize = 7;
    let since = |ns: i64| i128::from(ns) - i128::from(playback.begin_ns);
    let (mode, style) = match (ended, playback.seeking, playback.paused) {
        (true, ..) => ("end".to_owned(), palette.head()),
        (false, true, _) => ("seek".to_owned(), palette.warn()),
        (false, false, true) => ("paused".to_owned(), palette.warn()),
        (false, false, false) => (
            playback
                .speed
                .map_or_else(|| "max".to_owned(), |speed| format!("{speed}x")),
            palette.head(),
        ),
    };
    let at = HumanDuration(since(playback.position_ns));
    let mut line = Line::from(vec![
        Span::styled(mode, style),
        Span::raw(format!("  {at}")),
    ]);
    if let Some(until) = playback.end_ns {
        let whole = since(until).max(1);
        let full =
            (since(playback.position_ns) * METER as i128 / whole).clamp(0, METER as i128) as usize;
        line.push_span(Span::raw(format!(" of {} ", HumanDuration(whole))));
        line.push_span(Span::raw("\u{2501}".repeat(full)));
        line.push_span(Span::styled(
            "\u{2500}".repeat(METER - full),
            palette.faint(),
        ));
    }
    line
}
