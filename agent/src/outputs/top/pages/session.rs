//! One session.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table, Wrap},
};

use super::{cause, clean, name, nothing};
use crate::{
    model::{Figures, Part, Stage},
    outputs::{
        top::{
            paint::Paint,
            state::State,
            view::{BlameLine, Deadline, SessionView, View},
            widgets::{columns, oldest_mean},
        },
        units::{Rate, Share, Time, humanly},
    },
};

/// Draws it.
pub(in super::super) fn session(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View,
    state: &State,
    paint: Paint,
) {
    let Some(s) = state.session(view) else {
        nothing(frame, area, view, "no FIX session");
        return;
    };
    // 24 lines leave 21: what is more goes to the chart first, then to the tables.
    let more = area.height.saturating_sub(21);
    let what_if = (s.what_if.len() as u16).min(1 + more / 2);
    let [
        about,
        sentence,
        what_ifs,
        title,
        chart,
        legend,
        matrix,
        blame,
    ] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(what_if),
        Constraint::Length(1),
        Constraint::Length(4 + (more / 2).min(8)),
        Constraint::Length(1),
        Constraint::Length(6),
        Constraint::Min(1),
    ])
    .areas(area);
    frame.render_widget(headline(s, paint), about);
    let text = s.sentence.as_deref().map_or_else(|| cause(s), clean);
    let text = Paragraph::new(text).wrap(Wrap { trim: true });
    frame.render_widget(text.style(paint.head()), sentence);
    for (line, row) in s.what_if.iter().zip(what_ifs.rows()) {
        frame.render_widget(Line::raw(clean(line)), row);
    }
    frame.render_widget(chart_title(s, chart.width, paint), title);
    let lines = columns(&s.points, chart.width, chart.height, paint);
    frame.render_widget(Paragraph::new(lines), chart);
    frame.render_widget(Line::from(paint.legend()), legend);
    match &s.figures {
        Some(figures) => frame.render_widget(table(figures, paint), matrix),
        None => frame.render_widget(Line::raw("no fresh messages yet"), matrix),
    }
    frame.render_widget(blame_table(&s.blame, blame.height, paint), blame);
}

fn headline(s: &SessionView, paint: Paint) -> Line<'static> {
    let mut text = match s.point().filter(|p| p.messages > 0) {
        Some(p) => {
            let rate = Rate {
                events: p.messages,
                seconds: p.length.as_secs_f64(),
            };
            format!(
                "  age p50 {} p99 {} max {}  {rate} msg/s  {:.0} under way",
                Time::from(p.p50_ns),
                Time::from(p.p99_ns),
                Time::from(p.max_ns),
                p.backlog,
            )
        }
        None => "  no fresh messages".to_owned(),
    };
    if s.ended {
        text.push_str("  ended");
    }
    Line::from(vec![Span::styled(name(s), paint.head()), Span::raw(text)])
}

fn chart_title(s: &SessionView, width: u16, paint: Paint) -> Line<'static> {
    let shown = &s.points[s.points.len().saturating_sub(usize::from(width))..];
    let length: u128 = shown.iter().map(|p| p.length.as_nanos()).sum();
    let text = format!(
        "mean age by part, the last {}, at most {}",
        Time(length.cast_signed()),
        Time::from(oldest_mean(shown))
    );
    let mut line = Line::from(Span::styled(text, paint.faint()));
    if let Some(deadline) = s.deadline {
        line.push_span(time_left(deadline, paint));
    }
    line
}

fn time_left(deadline: Deadline, paint: Paint) -> Span<'static> {
    let limit = Time::from(deadline.limit_ns);
    match deadline.left {
        Some(left) if left.is_zero() => {
            Span::styled(format!("  MaxLatency {limit} exceeded"), paint.alarm())
        }
        Some(left) => {
            let left = Time(left.as_nanos().cast_signed());
            Span::styled(format!("  MaxLatency {limit} in {left}"), paint.warn())
        }
        None => Span::raw(format!("  MaxLatency {limit} not in sight")),
    }
}

/// Stages down, parts across: the mean of a message, and the share of the age.
fn table(figures: &Figures, paint: Paint) -> Table<'static> {
    let sums = figures.sums_without_skew();
    let whole = sums.total();
    let messages = i128::from(figures.messages.max(1));
    let parts: Vec<_> = Part::ALL
        .into_iter()
        .filter(|&part| sums.part(part) != 0)
        .collect();
    let cell = |ns: i128| {
        if ns == 0 {
            return Cell::from("-");
        }
        let share = Share { part: ns, whole };
        Cell::from(format!("{} {share}", Time(ns / messages)))
    };
    let mut heads = vec![Cell::from("per message")];
    heads.extend(
        parts
            .iter()
            .map(|&part| Cell::from(humanly(part.name())).style(paint.part(part))),
    );
    heads.push(Cell::from("all"));
    let row = |name: &'static str, of: &dyn Fn(Part) -> i128, all: i128| {
        let mut cells = vec![Cell::from(humanly(name))];
        cells.extend(parts.iter().map(|&part| cell(of(part))));
        cells.push(cell(all));
        Row::new(cells)
    };
    let mut rows: Vec<_> = Stage::ALL
        .into_iter()
        .map(|stage| {
            row(
                stage.name(),
                &|part| sums.get(stage, part),
                sums.stage(stage),
            )
        })
        .collect();
    rows.push(row("all", &|part| sums.part(part), whole));
    let mut widths = vec![Constraint::Length(11)];
    widths.extend(std::iter::repeat_n(Constraint::Max(14), parts.len() + 1));
    let head = Row::new(heads).style(Style::new().add_modifier(Modifier::UNDERLINED));
    Table::new(rows, widths).header(head)
}

fn blame_table(blame: &[BlameLine], height: u16, paint: Paint) -> Table<'static> {
    let room = usize::from(height).saturating_sub(1);
    // The last line tells of those that do not fit.
    let shown = if blame.len() > room {
        room.saturating_sub(1)
    } else {
        blame.len()
    };
    let mut rows: Vec<_> = blame
        .iter()
        .take(shown)
        .map(|b| blame_row(b, paint))
        .collect();
    if blame.is_empty() {
        rows.push(Row::new([
            Cell::from(""),
            Cell::from("nobody is charged yet"),
        ]));
    } else if shown < blame.len() {
        let more = format!("and {} more", blame.len() - shown);
        rows.push(Row::new([Cell::from(""), Cell::from(more)]));
    }
    let head = Row::new(["PART", "CULPRIT", "SHARE", "TIME", "WAITS", "LONGEST"])
        .style(paint.head().add_modifier(Modifier::UNDERLINED));
    let widths = [
        Constraint::Length(9),
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    Table::new(rows, widths).header(head)
}

fn blame_row(b: &BlameLine, paint: Paint) -> Row<'static> {
    Row::new([
        Cell::from(humanly(b.part.name())).style(paint.part(b.part)),
        Cell::from(clean(&b.culprit)),
        Cell::from(super::percent(b.share as f32)),
        Cell::from(Time(b.ns).to_string()),
        Cell::from(b.waits.to_string()),
        Cell::from(Time(b.longest_ns.into()).to_string()),
    ])
}
