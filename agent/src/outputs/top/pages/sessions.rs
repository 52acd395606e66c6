//! All sessions, and the diagnosis of the selected one.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{
    blame_table,
    diagnosis::diagnosis,
    labels::{draw_nothing, wrapped},
    session_list::draw_list,
};
use crate::{
    domain::units::HumanDuration,
    outputs::top::{
        chart::by_part,
        data::{FigureScope, ScreenData, SessionView},
        palette::Palette,
        state::ScreenState,
    },
};

/// Lines for the selected session at least.
const MIN_DETAIL_LINES: u16 = 9;

/// Lines of its diagnosis at most.
const MAX_DIAGNOSIS_LINES: usize = 8;

/// Draws the page.
pub(in super::super) fn draw_sessions(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    palette: Palette,
) {
    if view.sessions.is_empty() {
        draw_nothing(frame, area, view, "FIX session");
        return;
    }
    let rows = view.sessions.len().min(usize::from(u16::MAX) - 1) as u16;
    let [table, _, about, legend] = Layout::vertical([
        Constraint::Length((rows + 1).min(area.height.saturating_sub(MIN_DETAIL_LINES + 2))),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_list(frame, table, view, state, palette);
    if let Some(s) = state.session(view) {
        draw_selected(frame, about, view, state, s, palette);
    }
    frame.render_widget(Line::from(palette.legend()), legend);
}

/// The diagnosis of the selected session, who is charged, and its course.
fn draw_selected(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    s: &SessionView,
    palette: Palette,
) {
    let scope = state.scope;
    let since = match scope {
        FigureScope::LatestInterval => "",
        FigureScope::SinceStart => "since start  ",
    };
    let (nth, all) = (state.index(view) + 1, view.sessions.len());
    let count = format!("{nth} of {all}  {since}");
    let mut lines = diagnosis(s, view, scope, (area.width, MAX_DIAGNOSIS_LINES), palette);
    if let Some(first) = lines.first_mut() {
        if let Some(stall) = s.stall() {
            let stalled_for = HumanDuration(stall.waiting.without_hand_off_ns().into());
            let text = format!("STALLED {stalled_for}  ");
            first.spans.insert(0, Span::styled(text, palette.alarm()));
        }
        first.spans.insert(0, Span::styled(count, palette.faint()));
    }
    let what_if = s.figures(scope).map(|s| s.what_if_lines());
    for line in what_if.unwrap_or_default() {
        lines.extend(wrapped(&format!("What if: {line}"), area.width, 2));
    }
    let figures = s.figures(scope);
    let height = (lines.len() as u16).min(area.height);
    let left = area.height - height;
    // Three rows of culprits; the course gets the rest.
    let blame_height = blame_table::height(figures)
        .min(4)
        .min(left.saturating_sub(1));
    let [words, charged, chart] = Layout::vertical([
        Constraint::Length(height),
        Constraint::Length(blame_height),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(lines), words);
    if let Some(figures) = figures {
        blame_table::draw(frame, charged, figures, palette);
    }
    if chart.height >= 3 {
        let lines = by_part(&s.points, chart.width, chart.height, palette);
        frame.render_widget(Paragraph::new(lines), chart);
    }
}
