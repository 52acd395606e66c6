//! CPU limits beside the age, and the agent itself.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::Paragraph,
};

use super::labels::session_name;
use crate::{
    domain::units::{HumanBytes, HumanDuration, counted, sanitize},
    model::IntervalPoint,
    outputs::{
        text::list_counts,
        top::{
            chart::{by_part, latest, plain},
            data::{AgentView, CgroupView, ProcessCgroups, ScreenData, SessionView},
            palette::Palette,
            state::ScreenState,
        },
    },
};

/// Levels of a process on the smallest terminal.
const MIN_LEVELS: usize = 4;

/// Draws the page.
pub(in super::super) fn draw_cgroup(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    palette: Palette,
) {
    let session = state.session(view);
    let pid = session.and_then(SessionView::pid);
    let shown: Vec<_> = view
        .cgroups
        .iter()
        .filter(|c| !c.levels.is_empty() && pid.is_none_or(|pid| c.pid == pid))
        .collect();
    let max_levels = MIN_LEVELS + usize::from(area.height.saturating_sub(21));
    let mut below = Vec::new();
    if shown.is_empty() {
        below.push(Line::raw(
            "no CPU limit: there is no cgroup with a CPU controller",
        ));
    }
    for process in shown {
        below.push(Line::styled(format!("pid {}", process.pid), palette.head()));
        below.extend(levels(process, max_levels, area.width, palette));
    }
    below.extend(health_lines(&view.agent, palette));
    let below_height = (below.len() as u16).min(area.height.saturating_sub(8));
    let [age_title, age, cpu_title, cpu, rest] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(below_height),
    ])
    .areas(area);
    if let Some(s) = session {
        frame.render_widget(age_line(s, palette), age_title);
        let lines = by_part(&s.points, age.width, age.height, palette);
        frame.render_widget(Paragraph::new(lines), age);
        let points = latest(&s.points, cpu.width);
        frame.render_widget(cpu_line(points, palette), cpu_title);
        let cores = points.iter().map(|p| p.cores.map(f64::from));
        let top = full_scale(points);
        let label = trimmed(top);
        let lines = plain(
            cores,
            (top, &label),
            (cpu.width, cpu.height),
            palette.good(),
            palette,
        );
        frame.render_widget(Paragraph::new(lines), cpu);
    } else {
        frame.render_widget(Line::raw("no FIX session observed yet"), age_title);
    }
    frame.render_widget(Paragraph::new(below), rest);
}

/// The top of the scale of CPUs: the limit, or without one the CPUs used, rounded up.
fn full_scale(points: &[IntervalPoint]) -> f64 {
    let limit = points.iter().rev().find_map(|p| p.limit);
    let most = points.iter().filter_map(|p| p.cores).fold(0.0, f32::max);
    f64::from(limit.unwrap_or_else(|| (most - 0.05).ceil().max(1.0)))
}

fn age_line(s: &SessionView, palette: Palette) -> Line<'static> {
    let text = match s.point().filter(|p| p.has_age()) {
        Some(p) if p.messages == 0 => format!(
            "{}: stalled, the oldest message is {} old",
            session_name(s),
            HumanDuration::from(p.max_ns),
        ),
        Some(p) => format!(
            "{}: messages are {} old (p99 {})",
            session_name(s),
            HumanDuration::from(p.p50_ns),
            HumanDuration::from(p.p99_ns),
        ),
        None => format!("{}: no fresh messages", session_name(s)),
    };
    Line::styled(text, palette.head())
}

fn cpu_line(points: &[IntervalPoint], palette: Palette) -> Line<'static> {
    let Some((point, cores)) = points.iter().rev().find_map(|p| Some((p, p.cores?))) else {
        let limit = points.iter().rev().find_map(|p| p.limit);
        let text = limit.map_or_else(
            || "CPU: not sampled yet".to_owned(),
            |limit| {
                let limit = counted(trimmed(limit.into()), "core");
                format!("CPU: limit {limit}; its use is not accounted on this machine")
            },
        );
        return Line::styled(text, palette.faint());
    };
    let text = point.limit.map_or_else(
        || format!("CPU: {cores:.2} cores used, no limit"),
        |limit| {
            format!(
                "CPU: {cores:.2} of {} used, {:.0} % of the limit",
                counted(trimmed(limit.into()), "core"),
                100.0 * cores / limit
            )
        },
    );
    Line::styled(text, palette.head())
}

fn trimmed(cores: f64) -> String {
    let text = format!("{cores:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A line per level, those with a limit first.
fn levels(
    process: &ProcessCgroups,
    max_levels: usize,
    width: u16,
    palette: Palette,
) -> Vec<Line<'static>> {
    let mut levels: Vec<_> = process.levels.iter().collect();
    levels.sort_by_key(|level| level.limit.is_none());
    let mut lines: Vec<_> = levels
        .iter()
        .take(max_levels)
        .map(|l| level(l, width, palette))
        .collect();
    if let Some(more) = levels.len().checked_sub(max_levels + 1) {
        let more = counted(more + 1, "more level");
        lines.push(Line::raw(format!("  and {more}")));
    }
    lines
}

/// One level in a line, with the end of its path where all of it is too long.
fn level(level: &CgroupView, width: u16, palette: Palette) -> Line<'static> {
    let mut text = String::new();
    let mut throttled = false;
    let cores = level.current.and_then(|now| now.cores);
    let limit = level.limit.map(|limit| counted(trimmed(limit), "core"));
    match (cores, limit) {
        (Some(cores), Some(limit)) => text.push_str(&format!("  {cores:.2} of {limit}")),
        (Some(cores), None) => text.push_str(&format!("  {cores:.2} cores, no limit")),
        (None, Some(limit)) => text.push_str(&format!("  limit {limit}")),
        (None, None) => text.push_str("  no limit"),
    }
    if let Some(now) = level.current.filter(|_| level.limit.is_some()) {
        throttled = now.throttled_periods > 0;
        let (times, periods) = (now.throttled_periods, counted(now.periods, "period"));
        text.push_str(&format!(", throttled {times} of {periods}"));
    }
    if level.throttled_periods > 0 {
        text.push_str(&format!(
            " (total {}, {})",
            level.throttled_periods,
            HumanDuration(level.throttled_ns.into())
        ));
    }
    let room = usize::from(width).saturating_sub(text.chars().count() + 2);
    let text = format!("  {}{text}", end_of(&sanitize(&level.path), room.max(12)));
    if throttled {
        Line::styled(text, palette.alarm())
    } else {
        Line::raw(text)
    }
}

/// The end of a path, where all of it is too long.
fn end_of(path: &str, room: usize) -> String {
    let long = path.chars().count().saturating_sub(room);
    if long == 0 {
        return path.to_owned();
    }
    let end: String = path.chars().skip(long + 3).collect();
    format!("...{end}")
}

fn health_lines(agent: &AgentView, palette: Palette) -> Vec<Line<'static>> {
    let mut lines = vec![match list_counts(agent.lost.iter().copied()) {
        Some(lost) => Line::styled(format!("agent: lost events: {lost}"), palette.alarm()),
        None => Line::raw(format!(
            "agent: no events lost; ring buffer held at most {}",
            HumanBytes(agent.ring_high_water_bytes)
        )),
    }];
    if let Some(anomalies) = list_counts(agent.anomalies.iter().copied()) {
        let text = format!("agent: anomalies: {anomalies}");
        lines.push(Line::styled(text, palette.warn()));
    }
    lines
}
