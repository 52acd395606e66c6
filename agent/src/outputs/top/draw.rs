//! The frame around the pages.

use jiff::Timestamp;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};

use super::{
    data::ScreenData,
    keys::{HELP, HELP_PLAYING},
    pages,
    palette::Palette,
    playback::PlaybackStatus,
    state::{Page, ScreenState},
};
use crate::domain::units::HumanDuration;

/// The smallest terminal the pages fit in.
const WIDTH: u16 = 80;
const HEIGHT: u16 = 24;

/// Draws a view as the state says.
pub fn draw(frame: &mut Frame<'_>, view: &ScreenData, state: &ScreenState) {
    let area = frame.area();
    let paint = Palette {
        colour: state.colour,
    };
    if area.width < WIDTH || area.height < HEIGHT {
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
    frame.render_widget(headline(view, state, paint), head);
    frame.render_widget(pages_line(state, paint), tabs);
    if let Some(playing) = &view.playing {
        let right = playing_line(playing, view.ended, paint).right_aligned();
        frame.render_widget(right, tabs);
    }
    match state.page {
        _ if state.help => pages::help(frame, body, view, paint),
        Page::Sessions => pages::sessions(frame, body, view, state, paint),
        Page::Session => pages::session(frame, body, view, state, paint),
        Page::Threads => pages::threads(frame, body, view, state, paint),
        Page::Cgroup => pages::cgroup(frame, body, view, state, paint),
    }
    let help = if view.playing.is_some() {
        HELP_PLAYING
    } else {
        HELP
    };
    frame.render_widget(Line::styled(help, paint.faint()), foot);
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let text = [
        Line::raw(format!("{}x{} is too small", area.width, area.height)),
        Line::raw(format!("tag52 top needs {WIDTH}x{HEIGHT}")),
        Line::raw("q quits"),
    ];
    for (line, row) in text.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

/// An instant as people write it, in UTC.
fn clock(utc_ns: i64, format: &str) -> String {
    Timestamp::from_nanosecond(utc_ns.into())
        .map(|at| at.strftime(format).to_string())
        .unwrap_or_default()
}

fn headline(view: &ScreenData, state: &ScreenState, paint: Palette) -> Line<'static> {
    let mut line = Line::default();
    match &view.playing {
        Some(playing) => {
            let at = clock(playing.at_ns, "%Y-%m-%d %H:%M:%S UTC");
            line.push_span(Span::styled("tag52 replay", paint.head()));
            line.push_span(Span::raw(format!("  {}  ", view.watched)));
            line.push_span(Span::styled(at, paint.head()));
        }
        None => {
            let length = HumanDuration(view.watched_for.as_nanos().cast_signed());
            line.push_span(Span::styled("tag52 top", paint.head()));
            line.push_span(Span::raw(format!(
                "  {} watched for {length}",
                view.watched
            )));
            if view.now_ns != 0 {
                let at = clock(view.now_ns, "  %H:%M:%S UTC");
                line.push_span(Span::raw(at));
            }
        }
    }
    if view.ended && view.playing.is_none() {
        line.push_span(Span::styled("  ended", paint.alarm()));
    }
    if state.paused {
        line.push_span(Span::styled("  paused", paint.warn()));
    }
    if !view.agent.lost.is_empty() {
        line.push_span(Span::styled("  events lost: see 4", paint.alarm()));
    }
    line
}

fn pages_line(state: &ScreenState, paint: Palette) -> Line<'static> {
    Page::ALL
        .into_iter()
        .enumerate()
        .map(|(n, page)| {
            if page == state.page && !state.help {
                Span::styled(format!("[{} {}] ", n + 1, page.name()), paint.head())
            } else {
                Span::styled(format!(" {} {}  ", n + 1, page.name()), paint.faint())
            }
        })
        .collect()
}

/// How fast it goes, and how far it is.
fn playing_line(playing: &PlaybackStatus, over: bool, paint: Palette) -> Line<'static> {
    const METER: usize = 7;
    let since = |ns: i64| i128::from(ns) - i128::from(playing.from_ns);
    let (done, mark) = match (over, playing.seeks, playing.paused) {
        (true, ..) => ("end".to_owned(), paint.head()),
        (false, true, _) => ("seek".to_owned(), paint.warn()),
        (false, false, true) => ("paused".to_owned(), paint.warn()),
        (false, false, false) => (
            playing
                .times
                .map_or_else(|| "max".to_owned(), |times| format!("{times}x")),
            paint.head(),
        ),
    };
    let at = HumanDuration(since(playing.at_ns));
    let mut line = Line::from(vec![Span::styled(done, mark), Span::raw(format!("  {at}"))]);
    if let Some(until) = playing.until_ns {
        let whole = since(until).max(1);
        let full = (since(playing.at_ns) * METER as i128 / whole).clamp(0, METER as i128) as usize;
        line.push_span(Span::raw(format!(" of {} ", HumanDuration(whole))));
        line.push_span(Span::raw("\u{2501}".repeat(full)));
        line.push_span(Span::styled("\u{2500}".repeat(METER - full), paint.faint()));
    }
    line
}
