//! The threads of a session's process.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Modifier,
    text::Line,
    widgets::{Cell, Row, Table},
};

use super::labels::{draw_nothing, percent, session_name};
use crate::{
    domain::{
        Part,
        units::{counted, human_name, sanitize},
    },
    outputs::top::{
        data::{ScreenData, SessionView, ThreadView},
        palette::Palette,
        state::ScreenState,
        widgets::bar,
    },
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

/// Columns of a state without the bar of states.
const NARROW: u16 = 7;

/// Columns of a state beside the bar of states.
const WIDE: u16 = 10;

/// Draws the page.
pub(in super::super) fn draw_threads(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    palette: Palette,
) {
    let session = state.session(view);
    let pid = session.and_then(SessionView::pid);
    let mut threads: Vec<&ThreadView> = view
        .threads
        .iter()
        .filter(|t| pid.is_none_or(|pid| t.thread.pid == pid))
        .collect();
    if threads.is_empty() {
        draw_nothing(frame, area, view, "thread");
        return;
    }
    // The reader first, then those it waits for, then by time on the CPU.
    let reader = session.and_then(|s| s.tid);
    let charged = |t: &ThreadView| session.and_then(|s| s.charged_to(state.scope, t.thread.tid));
    let on_cpu = |t: &ThreadView| t.shares.map_or(0.0, |shares| shares[Part::OnCpu as usize]);
    threads.sort_by(|a, b| {
        let reads = |t: &ThreadView| Some(t.thread.tid) == reader;
        let blame = |t: &ThreadView| charged(t).unwrap_or(0.0);
        reads(b)
            .cmp(&reads(a))
            .then(blame(b).total_cmp(&blame(a)))
            .then(on_cpu(b).total_cmp(&on_cpu(a)))
            .then(a.thread.tid.cmp(&b.thread.tid))
    });
    let [title, table, rest, note, legend] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(1),
    ])
    .areas(area);
    let of = session.map(session_name).unwrap_or_default();
    let text = format!(
        "{} of {}; > reads {of}",
        counted(threads.len(), "thread"),
        pid.map_or_else(|| view.target.clone(), |pid| format!("pid {pid}")),
    );
    frame.render_widget(Line::styled(text, palette.head()), title);
    let left = area.width.saturating_sub(1 + 7 + 15 + 6 * WIDE + 7 + 10);
    let states = if left >= 12 { left.min(40) } else { 0 };
    let room = usize::from(table.height).saturating_sub(1);
    let rows = threads.iter().take(room).map(|t| {
        let reads = Some(t.thread.tid) == reader;
        row(t, reads, charged(t), states, palette)
    });
    let (heads, widths) = columns(states);
    let head = Row::new(heads).style(palette.head().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(rows, widths).header(head), table);
    if threads.len() > room {
        let more = format!("and {} more", threads.len() - room);
        frame.render_widget(Line::raw(more), rest);
    }
    let notes = [
        "BLAMED: share of the age of the session's messages charged to this thread.",
        "For threads that read no session, only on-cpu and run-queue are measured.",
    ];
    for (text, row) in notes.into_iter().zip(note.rows()) {
        frame.render_widget(Line::styled(text, palette.faint()), row);
    }
    frame.render_widget(Line::from(palette.legend()), legend);
}

fn columns(states: u16) -> (Vec<String>, Vec<Constraint>) {
    let wide = states > 0;
    let mut widths = vec![
        Constraint::Length(1),
        Constraint::Length(7),
        Constraint::Length(if wide { 15 } else { 13 }),
        Constraint::Length(7),
    ];
    widths.extend([Constraint::Length(if wide { WIDE } else { NARROW }); STATES.len()]);
    let mut heads: Vec<_> = ["", "TID", "NAME", "BLAMED"].map(str::to_owned).into();
    heads.extend(STATES.map(|part| match part {
        Part::RunQueue if !wide => "RUN-Q".to_owned(),
        Part::Throttle if !wide => "THROTTL".to_owned(),
        Part::LockWait if !wide => "LOCK".to_owned(),
        _ => human_name(part.name()).to_uppercase(),
    }));
    if wide {
        widths.push(Constraint::Length(states));
        heads.push("STATES".to_owned());
    }
    (heads, widths)
}

fn row(
    t: &ThreadView,
    reads: bool,
    charged: Option<f32>,
    states: u16,
    palette: Palette,
) -> Row<'static> {
    let dash = || "-".to_owned();
    let charged = charged.filter(|&share| share >= 0.001);
    let mut cells = vec![
        Cell::from(if reads { ">" } else { "" }),
        Cell::from(t.thread.tid.to_string()),
        Cell::from(sanitize(&t.thread.comm)),
        Cell::from(charged.map_or_else(dash, percent)).style(palette.alarm()),
    ];
    cells.extend(STATES.map(|part| {
        let measured = t.tracked || matches!(part, Part::OnCpu | Part::RunQueue | Part::Unknown);
        let share = t.shares.filter(|_| measured);
        Cell::from(share.map_or_else(dash, |shares| percent(shares[part as usize])))
    }));
    if states > 0 {
        let bar = t.shares.map(|shares| bar(&shares, states, palette));
        cells.push(Cell::from(bar.unwrap_or_default()));
    }
    Row::new(cells)
}
