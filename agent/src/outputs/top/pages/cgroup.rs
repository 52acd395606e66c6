//! CPU limits beside the age, and the agent itself.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::Paragraph,
};

use super::{clean, name};
use crate::{
    domain::units::{HumanBytes, HumanDuration, human_name},
    model::Point,
    outputs::top::{
        chart::{by_part, latest, plain},
        data::{AgentView, CgroupView, ProcessCgroups, ScreenData, SessionView},
        palette::Palette,
        state::ScreenState,
    },
};

/// Levels shown where there is little room.
const LEVELS: usize = 4;

/// Draws it.
pub(in super::super) fn cgroup(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    paint: Palette,
) {
    let session = state.session(view);
    let pid = session.and_then(SessionView::pid);
    let shown: Vec<_> = view
        .cgroups
        .iter()
        .filter(|c| !c.levels.is_empty() && pid.is_none_or(|pid| c.pid == pid))
        .collect();
    let most = LEVELS + usize::from(area.height.saturating_sub(21));
    let mut below = Vec::new();
    if shown.is_empty() {
        below.push(Line::raw("no CPU limit: no cgroup with a CPU controller"));
    }
    for process in shown {
        below.push(Line::styled(format!("pid {}", process.pid), paint.head()));
        below.extend(levels(process, most, area.width, paint));
    }
    below.extend(agent(&view.agent, paint));
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
        frame.render_widget(age_line(s, paint), age_title);
        let lines = by_part(&s.points, age.width, age.height, paint);
        frame.render_widget(Paragraph::new(lines), age);
        let points = latest(&s.points, cpu.width);
        frame.render_widget(cpu_line(points, paint), cpu_title);
        let cores = points.iter().map(|p| p.cores.map(f64::from));
        let top = full_scale(points);
        let label = trimmed(top);
        let lines = plain(
            cores,
            (top, &label),
            (cpu.width, cpu.height),
            paint.good(),
            paint,
        );
        frame.render_widget(Paragraph::new(lines), cpu);
    } else {
        frame.render_widget(Line::raw("no FIX session seen yet"), age_title);
    }
    frame.render_widget(Paragraph::new(below), rest);
}

/// What the top of the CPU's scale is: the limit, or without one the whole CPUs that were used.
fn full_scale(points: &[IntervalPoint]) -> f64 {
    let limit = points.iter().rev().find_map(|p| p.limit);
    let most = points.iter().filter_map(|p| p.cores).fold(0.0, f32::max);
    f64::from(limit.unwrap_or_else(|| (most - 0.05).ceil().max(1.0)))
}

fn age_line(s: &SessionView, paint: Palette) -> Line<'static> {
    let text = match s.point().filter(|p| p.messages > 0) {
        Some(p) => format!(
            "{}: messages are {} old (p99 {})",
            name(s),
            HumanDuration::from(p.p50_ns),
            HumanDuration::from(p.p99_ns),
        ),
        None => format!("{}: no fresh messages", name(s)),
    };
    Line::styled(text, paint.head())
}

fn cpu_line(points: &[IntervalPoint], paint: Palette) -> Line<'static> {
    let Some((point, cores)) = points.iter().rev().find_map(|p| Some((p, p.cores?))) else {
        let limit = points.iter().rev().find_map(|p| p.limit);
        let text = limit.map_or_else(
            || "CPU use is not known yet".to_owned(),
            |limit| {
                let limit = trimmed(limit.into());
                format!("CPU: limit {limit} cores; what is used of it is not counted here")
            },
        );
        return Line::styled(text, paint.faint());
    };
    let text = point.limit.map_or_else(
        || format!("CPU: {cores:.2} cores used, no limit"),
        |limit| {
            format!(
                "CPU: {cores:.2} of {} cores used, {:.0} % of the limit",
                trimmed(limit.into()),
                100.0 * cores / limit
            )
        },
    );
    Line::styled(text, paint.head())
}

fn trimmed(cores: f64) -> String {
    let text = format!("{cores:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Those with a limit first: they are what can run out.
fn levels(process: &ProcessCgroups, most: usize, width: u16, paint: Palette) -> Vec<Line<'static>> {
    let mut levels: Vec<_> = process.levels.iter().collect();
    levels.sort_by_key(|level| level.limit.is_none());
    let mut lines: Vec<_> = levels
        .iter()
        .take(most)
        .map(|l| level(l, width, paint))
        .collect();
    if let Some(more) = levels.len().checked_sub(most + 1) {
        lines.push(Line::raw(format!("  and {} more levels", more + 1)));
    }
    lines
}

/// One level in a line; of its path the end is shown.
fn level(level: &CgroupView, width: u16, paint: Palette) -> Line<'static> {
    let mut text = String::new();
    let mut throttled = false;
    let cores = level.current.and_then(|now| now.cores);
    match (cores, level.limit.map(trimmed)) {
        (Some(cores), Some(limit)) => text.push_str(&format!("  {cores:.2} of {limit} cores")),
        (Some(cores), None) => text.push_str(&format!("  {cores:.2} cores, no limit")),
        (None, Some(limit)) => text.push_str(&format!("  limit {limit} cores")),
        (None, None) => text.push_str("  no limit"),
    }
    if let Some(now) = level.current.filter(|_| level.limit.is_some()) {
        throttled = now.throttled_periods > 0;
        let (times, periods) = (now.throttled_periods, now.periods);
        text.push_str(&format!(", throttled {times} of {periods} periods"));
    }
    if level.throttled_periods > 0 {
        text.push_str(&format!(
            " (ever {}, {})",
            level.throttled_periods,
            HumanDuration(level.throttled_ns.into())
        ));
    }
    let room = usize::from(width).saturating_sub(text.chars().count() + 2);
    let text = format!("  {}{text}", end_of(&clean(&level.path), room.max(12)));
    if throttled {
        Line::styled(text, paint.alarm())
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

fn agent(agent: &AgentView, paint: Palette) -> Vec<Line<'static>> {
    let list = |kinds: &[(&'static str, u64)]| {
        let each: Vec<_> = kinds
            .iter()
            .map(|(kind, count)| format!("{} {count}", human_name(kind)))
            .collect();
        each.join(", ")
    };
    let ring = HumanBytes(agent.ring_high_water_bytes);
    let mut lines = vec![if agent.lost.is_empty() {
        Line::raw(format!(
            "agent: no events lost, at most {ring} waited in the ring"
        ))
    } else {
        let text = format!("agent: events lost: {}", list(&agent.lost));
        Line::styled(text, paint.alarm())
    }];
    if !agent.anomalies.is_empty() {
        let text = format!("agent: anomalies: {}", list(&agent.anomalies));
        lines.push(Line::styled(text, paint.warn()));
    }
    lines
}
