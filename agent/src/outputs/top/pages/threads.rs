//! The threads of a session's process.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Modifier,
    text::Line,
    widgets::{Cell, Row, Table},
};

use super::{clean, name, nothing, percent};
use crate::{
    model::Part,
    outputs::top::{
        paint::Paint,
        state::State,
        view::{ThreadView, View},
        widgets::bar,
    },
    units::humanly,
};

/// The states of a thread, as parts.
const STATES: [Part; 6] = [
    Part::OnCpu,
    Part::RunQueue,
    Part::Throttle,
    Part::LockWait,
    Part::Blocked,
    Part::Unknown,
];

/// Draws it.
pub(in super::super) fn threads(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View,
    state: &State,
    paint: Paint,
) {
    let session = state.session(view);
    let pid = session.and_then(super::SessionView::pid);
    let mut threads: Vec<&ThreadView> = view
        .threads
        .iter()
        .filter(|t| pid.is_none_or(|pid| t.thread.pid == pid))
        .collect();
    if threads.is_empty() {
        nothing(frame, area, view, "no thread");
        return;
    }
    // The reader first, then whoever had the CPU most.
    let reader = session.and_then(|s| s.tid);
    let on_cpu = |t: &ThreadView| t.shares.map_or(0.0, |shares| shares[Part::OnCpu as usize]);
    threads.sort_by(|a, b| {
        let reads = |t: &ThreadView| Some(t.thread.tid) == reader;
        reads(b)
            .cmp(&reads(a))
            .then(on_cpu(b).total_cmp(&on_cpu(a)))
            .then(a.thread.tid.cmp(&b.thread.tid))
    });
    let [title, table, rest, legend] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let of = session.map(name).unwrap_or_default();
    let text = format!(
        "{} thread{} of {}; > reads {of}",
        threads.len(),
        if threads.len() == 1 { "" } else { "s" },
        pid.map_or_else(|| view.watched.clone(), |pid| format!("pid {pid}")),
    );
    frame.render_widget(Line::styled(text, paint.head()), title);
    let width = area.width.saturating_sub(1 + 8 + 16 + 10 * 6 + 9);
    let states = if width >= 12 { width.min(40) } else { 0 };
    let mut widths = vec![
        Constraint::Length(1),
        Constraint::Length(8),
        Constraint::Length(16),
    ];
    widths.extend([Constraint::Length(if states > 0 { 10 } else { 7 }); STATES.len()]);
    let mut heads = vec![String::new(), "TID".to_owned(), "NAME".to_owned()];
    let title_of = |part: Part| {
        let title = humanly(part.name()).to_uppercase();
        match part {
            Part::RunQueue if states == 0 => "RUN-Q".to_owned(),
            Part::Throttle if states == 0 => "THROTTL".to_owned(),
            Part::LockWait if states == 0 => "LOCK".to_owned(),
            _ => title,
        }
    };
    heads.extend(STATES.map(title_of));
    if states > 0 {
        widths.push(Constraint::Length(states));
        heads.push("STATES".to_owned());
    }
    let room = usize::from(table.height).saturating_sub(1);
    let rows = threads.iter().take(room).map(|t| {
        let mark = if Some(t.thread.tid) == reader { ">" } else { "" };
        let mut cells = vec![
            Cell::from(mark),
            Cell::from(t.thread.tid.to_string()),
            Cell::from(clean(&t.thread.comm)),
        ];
        cells.extend(STATES.map(|part| match t.shares {
            Some(shares) => Cell::from(percent(shares[part as usize])),
            None => Cell::from("-"),
        }));
        if states > 0 {
            let bar = t.shares.map(|shares| bar(&shares, states, paint));
            cells.push(Cell::from(bar.unwrap_or_default()));
        }
        Row::new(cells)
    });
    let head = Row::new(heads).style(paint.head().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(rows, widths).header(head), table);
    if threads.len() > room {
        let more = format!("and {} more", threads.len() - room);
        frame.render_widget(Line::raw(more), rest);
    }
    if states > 0 {
        frame.render_widget(Line::from(paint.legend()), legend);
    }
}
