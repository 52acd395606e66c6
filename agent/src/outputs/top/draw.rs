//! The frame around the pages.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};

use super::{
    keys::HELP,
    pages,
    paint::Paint,
    state::{Page, State},
    view::View,
};
use crate::outputs::units::Time;

/// The smallest terminal the pages fit in.
const WIDTH: u16 = 80;
const HEIGHT: u16 = 24;

/// Draws a view as the state says.
pub fn draw(frame: &mut Frame<'_>, view: &View, state: &State) {
    let area = frame.area();
    let paint = Paint {
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
    match state.page {
        Page::Sessions => pages::sessions(frame, body, view, state, paint),
        Page::Session => pages::session(frame, body, view, state, paint),
        Page::Threads => pages::threads(frame, body, view, state, paint),
        Page::Cgroup => pages::cgroup(frame, body, view, state, paint),
    }
    frame.render_widget(Line::styled(HELP, paint.faint()), foot);
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

fn headline(view: &View, state: &State, paint: Paint) -> Line<'static> {
    let mut line = Line::from(vec![
        Span::styled("tag52 top", paint.head()),
        Span::raw(format!(
            "  {} watched for {}",
            view.watched,
            Time(view.watched_for.as_nanos().cast_signed())
        )),
    ]);
    if view.ended {
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

fn pages_line(state: &State, paint: Paint) -> Line<'static> {
    Page::ALL
        .into_iter()
        .enumerate()
        .map(|(n, page)| {
            if page == state.page {
                Span::styled(format!("[{} {}] ", n + 1, page.name()), paint.head())
            } else {
                Span::styled(format!(" {} {}  ", n + 1, page.name()), paint.faint())
            }
        })
        .collect()
}
