//! CPU limits beside the age, and the agent itself.

use ratatui::{
    Frame,
    layout::Rect,
    text::Line,
    widgets::{Paragraph, Wrap},
};

use super::{clean, name};
use crate::outputs::{
    top::{
        paint::Paint,
        state::State,
        view::{AgentView, LevelView, SessionView, View},
        widgets::sparks,
    },
    units::{Bytes, Time, humanly},
};

/// Draws it.
pub(in super::super) fn cgroup(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View,
    state: &State,
    paint: Paint,
) {
    let session = state.session(view);
    let mut lines = Vec::new();
    if let Some(s) = session {
        lines.push(Line::styled(name(s), paint.head()));
        lines.push(Line::raw(age(s, usize::from(area.width.min(120)) / 2)));
        lines.push(Line::default());
    }
    let pid = session.and_then(SessionView::pid);
    let mut shown = view
        .cgroups
        .iter()
        .filter(|c| !c.levels.is_empty() && pid.is_none_or(|pid| c.pid == pid))
        .peekable();
    if shown.peek().is_none() {
        lines.push(Line::raw("no CPU limit: no cgroup with a CPU controller"));
    }
    for process in shown {
        lines.push(Line::styled(format!("pid {}", process.pid), paint.head()));
        if let Some(level) = tightest(&process.levels)
            && let (Some(limit), Some(now)) = (level.limit, level.current)
        {
            lines.push(comfort(now.cores, limit, session, paint));
        }
        for level in &process.levels {
            lines.extend(self::level(level, paint));
        }
    }
    lines.push(Line::default());
    lines.extend(agent(&view.agent, paint));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

/// The level with the smallest limit.
fn tightest(levels: &[LevelView]) -> Option<&LevelView> {
    let limited = levels.iter().filter(|level| level.limit.is_some());
    limited.min_by(|a, b| {
        let limit = |level: &LevelView| level.limit.unwrap_or(f64::INFINITY);
        limit(a).total_cmp(&limit(b))
    })
}

fn age(s: &SessionView, width: usize) -> String {
    let p50s: Vec<i64> = s.points.iter().map(|p| p.p50_ns).collect();
    match s.point().filter(|p| p.messages > 0) {
        Some(p) => format!(
            "age p50 {}  p99 {}  {}",
            Time::from(p.p50_ns),
            Time::from(p.p99_ns),
            sparks(&p50s, width)
        ),
        None => "no fresh messages".to_owned(),
    }
}

/// What the CPU meter says, and what it does not.
fn comfort(cores: f64, limit: f64, session: Option<&SessionView>, paint: Paint) -> Line<'static> {
    let point = session.and_then(SessionView::point);
    let age = point.filter(|p| p.messages > 0).map_or_else(
        || "no messages".to_owned(),
        |p| format!("messages {} old", Time::from(p.p50_ns)),
    );
    let used = format!("{cores:.2} of {} cores used, {age}", trimmed(limit));
    Line::styled(used, paint.warn())
}

fn trimmed(cores: f64) -> String {
    let text = format!("{cores:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn level(level: &LevelView, paint: Paint) -> Vec<Line<'static>> {
    let mut lines = vec![Line::raw(format!(" {}", clean(&level.path)))];
    let limit = level.limit.map_or("no limit".to_owned(), |limit| {
        format!("limit {} cores", trimmed(limit))
    });
    let Some(now) = level.current else {
        lines.push(Line::raw(format!("  {limit}")));
        return lines;
    };
    let bar = level.limit.map_or_else(String::new, |limit| {
        const WIDTH: usize = 16;
        let full = now.cores / limit * WIDTH as f64;
        let full = full.round().clamp(0.0, WIDTH as f64) as usize;
        format!("[{}{}] ", "#".repeat(full), ".".repeat(WIDTH - full))
    });
    let text = format!(
        "  {bar}{:.2} cores, {limit}, throttled {} of {} periods",
        now.cores, now.throttled_periods, now.periods
    );
    lines.push(if now.throttled_periods > 0 {
        Line::styled(text, paint.alarm())
    } else {
        Line::raw(text)
    });
    if level.throttled_periods > 0 {
        lines.push(Line::raw(format!(
            "  since it was made throttled in {} periods, for {}",
            level.throttled_periods,
            Time(level.throttled_ns.into())
        )));
    }
    lines
}

fn agent(agent: &AgentView, paint: Paint) -> Vec<Line<'static>> {
    let list = |kinds: &[(&'static str, u64)]| {
        let each: Vec<_> = kinds
            .iter()
            .map(|(kind, count)| format!("{} {count}", humanly(kind)))
            .collect();
        each.join(", ")
    };
    let lost = if agent.lost.is_empty() {
        Line::raw("agent: no events lost")
    } else {
        let text = format!("agent: events lost: {}", list(&agent.lost));
        Line::styled(text, paint.alarm())
    };
    let mut lines = vec![lost];
    if !agent.anomalies.is_empty() {
        let text = format!("agent: anomalies: {}", list(&agent.anomalies));
        lines.push(Line::styled(text, paint.warn()));
    }
    let ring = Bytes(agent.ring_high_water_bytes);
    lines.push(Line::raw(format!(
        "agent: at most {ring} waited in the ring"
    )));
    lines
}
