//! All sessions.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::Line,
    widgets::{Cell, Row, Table},
};

use super::{cause, clean, name, nothing, percent};
use crate::outputs::{
    top::{
        paint::Paint,
        state::State,
        view::{SessionView, View},
        widgets::{bar, sparks},
    },
    units::{Rate, Time},
};

/// From this width on causes have a column of their own.
const WIDE: u16 = 110;

/// Draws it.
pub(in super::super) fn sessions(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View,
    state: &State,
    paint: Paint,
) {
    if view.sessions.is_empty() {
        nothing(frame, area, view, "no FIX session");
        return;
    }
    let [table, about, legend] = Layout::vertical([
        Constraint::Min(1),
        Constraint::Length(2),
        Constraint::Length(1),
    ])
    .areas(area);
    let wide = area.width >= WIDE;
    let (trend, parts) = if wide { (20, 20) } else { (8, 10) };
    let mut widths = vec![
        Constraint::Length(1),
        Constraint::Fill(2),
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
        widths.push(Constraint::Fill(2));
        heads.push("CAUSE");
    }
    let selected = state.index(view);
    let room = usize::from(table.height).saturating_sub(1).max(1);
    let first = (selected + 1).saturating_sub(room);
    let rows = view
        .sessions
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(i, s)| {
            let mut cells = row(s, i == selected, trend, parts, paint);
            if wide {
                cells.push(Cell::from(cause(s)));
            }
            let style = if i == selected {
                paint.head()
            } else {
                Style::new()
            };
            Row::new(cells).style(style)
        });
    let head = Row::new(heads).style(paint.head().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(rows, widths).header(head), table);
    if let Some(s) = state.session(view) {
        let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(about);
        let line = format!("{} of {}: {}", selected + 1, view.sessions.len(), cause(s));
        frame.render_widget(Line::styled(line, paint.head()), first);
        if let Some(sentence) = &s.sentence {
            frame.render_widget(Line::raw(clean(sentence)), second);
        }
    }
    frame.render_widget(Line::from(paint.legend()), legend);
}

fn row(
    s: &SessionView,
    selected: bool,
    trend: u16,
    parts: u16,
    paint: Paint,
) -> Vec<Cell<'static>> {
    let ids = match (s.pid(), s.tid) {
        (Some(pid), Some(tid)) => format!("{pid}/{tid}"),
        (Some(pid), None) => pid.to_string(),
        _ => String::new(),
    };
    let point = s.point();
    let with_messages = point.filter(|p| p.messages > 0);
    let time = |ns: Option<i64>| ns.map_or("-".to_owned(), |ns| Time::from(ns).to_string());
    let p50s: Vec<i64> = s.points.iter().map(|p| p.p50_ns).collect();
    let rate = match point {
        _ if s.ended => "ended".to_owned(),
        Some(p) => Rate {
            events: p.messages,
            seconds: p.length.as_secs_f64(),
        }
        .to_string(),
        None => "-".to_owned(),
    };
    vec![
        Cell::from(if selected { ">" } else { "" }),
        Cell::from(name(s)),
        Cell::from(ids),
        Cell::from(time(with_messages.map(|p| p.p50_ns))),
        Cell::from(time(with_messages.map(|p| p.p99_ns))),
        Cell::from(sparks(&p50s, usize::from(trend))),
        Cell::from(rate),
        Cell::from(with_messages.map_or_else(Line::default, |p| bar(&p.parts, parts, paint))),
        Cell::from(with_messages.map_or("-".to_owned(), |p| percent(p.held_back))),
    ]
}
