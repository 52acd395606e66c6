//! One session.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Modifier,
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table},
};

use super::{
    blame_table,
    diagnosis::{diagnosis, flow},
    labels::{draw_nothing, session_name, wrapped},
    waiting,
};
use crate::{
    domain::{
        Part, Stage,
        units::{HumanDuration, HumanPercent, HumanRate, counted, human_name},
    },
    outputs::{
        text::process_location,
        top::{
            chart::{by_part, latest},
            data::{FigureScope, ScreenData, SessionView},
            palette::Palette,
            state::ScreenState,
        },
    },
    stats::Figures,
};

/// Lines of the page on the smallest terminal.
const MIN_LINES: u16 = 21;

/// Lines of the diagnosis at most on the smallest terminal.
const MAX_DIAGNOSIS_LINES: usize = 6;

/// Draws the page.
pub(in super::super) fn draw_session(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    palette: Palette,
) {
    let Some(s) = state.session(view) else {
        draw_nothing(frame, area, view, "FIX session");
        return;
    };
    let scope = state.scope;
    let more = area.height.saturating_sub(MIN_LINES);
    let diagnosis = diagnosis(
        s,
        view,
        scope,
        (area.width, MAX_DIAGNOSIS_LINES + usize::from(more.min(3))),
        palette,
    );
    let waits = waiting::lines(s, area.width, palette);
    let what_if = what_if(s, scope, area.width, 1 + usize::from(more.min(2)));
    let figures = s.figures(scope);
    let corner = corner(scope, s.in_stall);
    let table = figures.map(|s| matrix(&s.figures, corner, palette));
    let (table_height, table) = table.unwrap_or_else(|| (1, Table::default()));
    let wanted = blame_table::height(figures);
    let lines = waits.len() + diagnosis.len() + what_if.len();
    let fixed = 2 + lines as u16 + table_height;
    // The chart has three lines at the least; the blame table what it needs, then the chart the
    // rest.
    let blame_height = wanted.min(area.height.saturating_sub(fixed + 3));
    let [
        about,
        waiting,
        causes,
        what_ifs,
        title,
        chart,
        split,
        charged,
    ] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(waits.len() as u16),
        Constraint::Length(diagnosis.len() as u16),
        Constraint::Length(what_if.len() as u16),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(table_height),
        Constraint::Length(blame_height),
    ])
    .areas(area);
    frame.render_widget(headline(s, scope, palette), about);
    frame.render_widget(Paragraph::new(waits), waiting);
    frame.render_widget(Paragraph::new(diagnosis), causes);
    frame.render_widget(Paragraph::new(what_if), what_ifs);
    frame.render_widget(chart_title(s, area.width, palette), title);
    let lines = by_part(&s.points, chart.width, chart.height, palette);
    frame.render_widget(Paragraph::new(lines), chart);
    match figures {
        Some(figures) => {
            frame.render_widget(table, split);
            blame_table::draw(frame, charged, figures, palette);
        }
        None => frame.render_widget(Line::raw("no fresh messages yet"), split),
    }
}

fn headline(s: &SessionView, scope: FigureScope, palette: Palette) -> Line<'static> {
    let mut line = Line::from(Span::styled(session_name(s), palette.head()));
    if let Some(location) = s.total.process.as_deref().and_then(process_location) {
        line.push_span(Span::styled(format!(" {location}"), palette.head()));
    }
    let since = match scope {
        FigureScope::LatestInterval => "",
        FigureScope::SinceStart => "  since start",
    };
    let age = match scope {
        FigureScope::LatestInterval => s.point().filter(|p| p.messages > 0).map(|p| {
            let rate = HumanRate {
                events: p.messages,
                seconds: p.length.as_secs_f64(),
            };
            (p.p50_ns, p.p99_ns, p.max_ns, format!("{rate} msg/s"))
        }),
        FigureScope::SinceStart => s.total.figures.age.map(|age| {
            let messages = counted(s.total.figures.messages, "message");
            (age.p50_ns, age.p99_ns, age.max_ns, messages)
        }),
    };
    let state = waiting::state(s).filter(|_| age.is_some());
    line.push_span(Span::raw(match age {
        Some((p50, p99, max, count)) => format!(
            "{since}  age p50 {} p99 {} max {}  {count}",
            HumanDuration::from(p50),
            HumanDuration::from(p99),
            HumanDuration::from(max),
        ),
        None if s.in_stall => format!("{since}  nothing handed off"),
        None => format!("{since}  no fresh messages"),
    }));
    if let Some(state) = state {
        line.push_span(Span::raw(format!("  {state}")));
    }
    if s.ended {
        line.push_span(Span::styled("  ended", palette.alarm()));
    }
    line
}

fn what_if(
    s: &SessionView,
    scope: FigureScope,
    width: u16,
    max_lines: usize,
) -> Vec<Line<'static>> {
    let lines = s.figures(scope).map(|s| s.what_if_lines());
    lines
        .unwrap_or_default()
        .iter()
        .flat_map(|line| {
            wrapped(
                &format!("What if: {line} (? shows assumptions)"),
                width,
                max_lines,
            )
        })
        .take(max_lines)
        .collect()
}

fn chart_title(s: &SessionView, width: u16, palette: Palette) -> Line<'static> {
    let shown = latest(&s.points, width);
    let length: u128 = shown.iter().map(|p| p.length.as_nanos()).sum();
    let what = if shown.iter().any(|p| p.stalled) {
        "mean age (in a stall: waiting age)"
    } else {
        "mean age"
    };
    let mut text = format!("{what}, last {}", HumanDuration(length.cast_signed()));
    if let Some(verdict) = s.verdict(FigureScope::LatestInterval) {
        text.push_str(&format!("   {}", flow(verdict)));
    }
    Line::styled(text, palette.faint())
}

/// What the figures of a scope are.
const fn corner(scope: FigureScope, in_stall: bool) -> &'static str {
    match scope {
        FigureScope::LatestInterval if in_stall => "waiting",
        FigureScope::LatestInterval => "mean, now",
        FigureScope::SinceStart => "mean, all",
    }
}

/// Stages down, parts across: the mean per message and the share of the age. With the height of
/// the table in lines.
fn matrix(figures: &Figures, corner: &'static str, palette: Palette) -> (u16, Table<'static>) {
    let sums = figures.sums_without_skew();
    let whole = sums.total();
    let messages = i128::from(figures.messages.max(1));
    let mut parts: Vec<_> = Part::ALL
        .into_iter()
        .filter(|&part| sums.part(part) != 0)
        .collect();
    parts.sort_by_key(|&part| std::cmp::Reverse(sums.part(part)));
    let cell = |ns: i128| {
        if ns == 0 {
            return Cell::from("-");
        }
        let share = HumanPercent { part: ns, whole };
        Cell::from(format!("{} {share}", HumanDuration(ns / messages)))
    };
    let mut heads = vec![Cell::from(corner)];
    heads.extend(parts.iter().map(|&part| {
        let fill = Span::styled(palette.fill(part), palette.part(part));
        let name = Span::styled(format!(" {}", human_name(part.name())), palette.part(part));
        Cell::from(Line::from(vec![fill, name]))
    }));
    heads.push(Cell::from("all"));
    let row = |name: &'static str, of: &dyn Fn(Part) -> i128, all: i128| {
        let mut cells = vec![Cell::from(human_name(name))];
        cells.extend(parts.iter().map(|&part| cell(of(part))));
        cells.push(cell(all));
        Row::new(cells)
    };
    let mut rows: Vec<_> = Stage::ALL
        .into_iter()
        .filter(|&stage| sums.stage(stage) != 0)
        .map(|stage| {
            row(
                stage.name(),
                &|part| sums.get(stage, part),
                sums.stage(stage),
            )
        })
        .collect();
    rows.push(row("all", &|part| sums.part(part), whole));
    let height = rows.len() as u16 + 1;
    let mut widths = vec![Constraint::Length(9)];
    widths.extend(std::iter::repeat_n(Constraint::Max(14), parts.len() + 1));
    let head = Row::new(heads).style(palette.head().add_modifier(Modifier::UNDERLINED));
    (height, Table::new(rows, widths).header(head))
}
