//! All sessions, and the diagnosis of the selected one.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table},
};

use super::{
    blame_table,
    diagnosis::{cause, diagnosis},
    labels::{draw_nothing, percent, session_name, wrapped},
};
use crate::{
    domain::units::{HumanDuration, HumanRate},
    outputs::top::{
        chart::by_part,
        data::{FigureScope, ScreenData, SessionView},
        palette::Palette,
        state::ScreenState,
        widgets::{bar, sparks},
    },
};

/// From this width on causes have a column of their own, columns.
const MIN_WIDTH_FOR_CAUSE: u16 = 110;

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

fn draw_list(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    palette: Palette,
) {
    let wide = area.width >= MIN_WIDTH_FOR_CAUSE;
    let (trend, parts) = if wide { (16, 16) } else { (8, 10) };
    let names = view
        .sessions
        .iter()
        .map(|s| session_name(s).chars().count());
    let longest = names.max().unwrap_or(0);
    let mut widths = vec![
        Constraint::Length(1),
        if wide {
            Constraint::Length(longest.clamp(12, 28) as u16)
        } else {
            Constraint::Fill(1)
        },
        Constraint::Length(11),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(trend),
        Constraint::Length(6),
        Constraint::Length(parts),
        Constraint::Length(5),
    ];
    let mut heads = vec![
        "", "SESSION", "PID/TID", "P50", "P99", "TREND", "MSG/S", "PARTS", "HELD",
    ];
    if wide {
        widths.push(Constraint::Fill(1));
        heads.push("CAUSE");
    }
    let selected = state.index(view);
    let room = usize::from(area.height).saturating_sub(1).max(1);
    let first = (selected + 1).saturating_sub(room);
    let rows = view
        .sessions
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(i, s)| {
            let mut cells = row(s, i == selected, (trend, parts), palette);
            if wide {
                let style = match s.verdict(FigureScope::LatestInterval) {
                    Some(verdict) if !verdict.is_healthy() => palette.alarm(),
                    Some(_) => palette.good(),
                    None => Style::new(),
                };
                cells.push(Cell::from(cause(s, FigureScope::LatestInterval)).style(style));
            }
            let style = if i == selected {
                palette.head()
            } else {
                Style::new()
            };
            Row::new(cells).style(style)
        });
    let head = Row::new(heads).style(palette.head().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(rows, widths).header(head), area);
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

fn row(
    s: &SessionView,
    selected: bool,
    (trend, parts): (u16, u16),
    palette: Palette,
) -> Vec<Cell<'static>> {
    let ids = match (s.pid(), s.tid) {
        (Some(pid), Some(tid)) => format!("{pid}/{tid}"),
        (Some(pid), None) => pid.to_string(),
        _ => String::new(),
    };
    let point = s.point();
    let with_messages = point.filter(|p| p.messages > 0);
    let time =
        |ns: Option<i64>| ns.map_or("-".to_owned(), |ns| HumanDuration::from(ns).to_string());
    let p50s: Vec<i64> = s.points.iter().map(|p| p.p50_ns).collect();
    let rate = match point {
        _ if s.ended => "ended".to_owned(),
        Some(p) => HumanRate {
            events: p.messages,
            seconds: p.length.as_secs_f64(),
        }
        .to_string(),
        None => "-".to_owned(),
    };
    vec![
        Cell::from(if selected { ">" } else { "" }),
        Cell::from(session_name(s)),
        Cell::from(ids),
        Cell::from(time(with_messages.map(|p| p.p50_ns))),
        Cell::from(time(with_messages.map(|p| p.p99_ns))),
        Cell::from(sparks(&p50s, usize::from(trend))),
        Cell::from(rate),
        Cell::from(with_messages.map_or_else(Line::default, |p| bar(&p.parts, parts, palette))),
        Cell::from(with_messages.map_or("-".to_owned(), |p| percent(p.held_back))),
    ]
}
