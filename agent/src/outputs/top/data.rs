//! What is to be seen, copied from the model.

use std::time::Duration;

use super::playback::PlaybackStatus;
use crate::{
    domain::{CgroupLevel, CgroupUse, Culprit, Part, ThreadName, ThreadUse},
    model::{IntervalPoint, LatestPair, Model, SessionFigures, SessionHistory, SessionName},
    stats::BlameRow,
    verdict::Verdict,
};

/// Everything the live view shows.
#[derive(Clone, Debug, Default)]
pub struct ScreenData {
    /// How the target is called: `pid 4711`.
    pub watched: String,
    /// For how long it has been watched.
    pub watched_for: Duration,
    /// When this was so, nanoseconds since 1970 UTC; 0 when not known.
    pub now_ns: i64,
    /// The watched processes have ended, or the recording has: nothing here changes any more.
    pub ended: bool,
    /// Of a recording: where it is.
    pub playing: Option<PlaybackStatus>,
    /// The age at which counterparties begin to refuse messages.
    pub max_latency: Duration,
    /// Sessions that are open in the order of first sight, then those that have ended.
    pub sessions: Vec<SessionView>,
    /// Sessions ever seen.
    pub sessions_observed: u64,
    /// The threads of the watched processes, by process and thread.
    pub threads: Vec<ThreadView>,
    /// The cgroups of the watched processes, by process.
    pub cgroups: Vec<ProcessCgroups>,
    /// The agent's account of itself.
    pub agent: AgentView,
}

/// From when on figures count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FigureScope {
    /// The latest interval with messages.
    #[default]
    LatestInterval,
    /// Since the start.
    SinceStart,
}

/// One session.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// The session.
    pub name: SessionName,
    /// The thread that received its latest message.
    pub tid: Option<u32>,
    /// Its socket was closed.
    pub ended: bool,
    /// Its intervals, the oldest first.
    pub points: Vec<IntervalPoint>,
    /// Its latest interval with messages.
    pub latest: Option<SessionFigures>,
    /// All since the start.
    pub total: SessionFigures,
    /// The verdict of the latest interval.
    verdict: Option<Verdict>,
}

impl SessionView {
    /// The interval to be shown: the latest; of a session that has ended the latest with messages.
    #[must_use]
    pub fn point(&self) -> Option<&IntervalPoint> {
        if self.ended {
            self.points.iter().rev().find(|point| point.messages > 0)
        } else {
            self.points.last()
        }
    }

    /// The process that reads it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.name.id().map(|id| id.pid)
    }

    /// The figures of a scope; `None` before there are any.
    #[must_use]
    pub fn figures(&self, scope: FigureScope) -> Option<&SessionFigures> {
        match scope {
            FigureScope::LatestInterval => self.latest.as_ref(),
            FigureScope::SinceStart => Some(&self.total).filter(|s| s.figures.messages > 0),
        }
    }

    /// Why its messages are old. While it is open the verdict is that of the latest interval, or
    /// none; once it has ended, that of the last messages.
    #[must_use]
    pub fn verdict(&self, scope: FigureScope) -> Option<&Verdict> {
        let last = self.latest.as_ref().filter(|_| self.ended);
        match scope {
            FigureScope::SinceStart => self.total.verdict.as_ref(),
            FigureScope::LatestInterval => self.verdict.as_ref().or_else(|| last?.verdict.as_ref()),
        }
    }

    /// How much of the ages a thread is charged with, 0 to 1; `None` when with nothing.
    #[must_use]
    pub fn charged_to(&self, scope: FigureScope, tid: u32) -> Option<f32> {
        let figures = self.figures(scope)?;
        let of = |row: &&BlameRow| {
            let thread = row.culprit.as_ref().and_then(|who| who.thread());
            thread.is_some_and(|thread| thread.tid == tid)
        };
        let ns: i128 = figures.blame.iter().filter(of).map(|row| row.ns).sum();
        let whole = figures.figures.sums_without_skew().total();
        (ns > 0 && whole > 0).then(|| (ns as f64 / whole as f64) as f32)
    }

    /// Whom the part is charged to above all.
    #[must_use]
    pub fn worst(&self, scope: FigureScope, part: Part) -> Option<&Culprit> {
        let rows: &[BlameRow] = self.figures(scope).map_or(&[], |s| &s.blame);
        let row = rows.iter().find(|row| row.part == part)?;
        row.culprit.as_deref()
    }
}

/// One thread.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadView {
    /// The thread.
    pub thread: ThreadName,
    /// It reads a session; of the others only on-cpu and run-queue are known.
    pub tracked: bool,
    /// Shares of the latest interval, 0 to 1, in the order of [`Part::ALL`]; `None` before the
    /// first.
    pub shares: Option<[f32; Part::ALL.len()]>,
}

impl ThreadView {
    fn of(recent: LatestPair<'_, ThreadUse>) -> Self {
        let now = recent.now;
        // Two ways of counting cannot be compared.
        let before = recent.before.filter(|(b, _)| b.tracked == now.tracked);
        let shares = before.and_then(|(before, _)| {
            let spent: [u64; Part::ALL.len()] =
                std::array::from_fn(|i| now.ns[i].saturating_sub(before.ns[i]));
            let whole: u64 = spent.iter().sum();
            (whole > 0).then(|| spent.map(|ns| (ns as f64 / whole as f64) as f32))
        });
        Self {
            thread: now.thread.clone(),
            tracked: now.tracked,
            shares,
        }
    }
}

/// The cgroups of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessCgroups {
    /// The process.
    pub pid: u32,
    /// Its own cgroup first, then the ancestors.
    pub levels: Vec<CgroupView>,
}

impl ProcessCgroups {
    fn of(recent: LatestPair<'_, CgroupUse>) -> Self {
        let level = |now: &CgroupLevel| {
            let before = recent.before.and_then(|(before, length)| {
                let before = before.levels.iter().find(|old| old.path == now.path)?;
                Some((before, length))
            });
            CgroupView {
                path: now.path.clone(),
                limit: now.cores(),
                current: before
                    .and_then(|(before, length)| CgroupInterval::of(before, now, length)),
                throttled_periods: now.throttled_periods,
                throttled_ns: now.throttled_ns,
            }
        };
        Self {
            pid: recent.now.pid,
            levels: recent.now.levels.iter().map(level).collect(),
        }
    }
}

/// One cgroup on the way to the root.
#[derive(Clone, Debug, PartialEq)]
pub struct CgroupView {
    /// Its path below the cgroup mount.
    pub path: String,
    /// How many CPUs' worth of time it may use; `None`: no limit.
    pub limit: Option<f64>,
    /// Its latest interval; `None` before the first.
    pub current: Option<CgroupInterval>,
    /// Throttled periods since the cgroup was made.
    pub throttled_periods: u64,
    /// For how long its threads were throttled since then, nanoseconds.
    pub throttled_ns: u64,
}

/// A cgroup in an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgroupInterval {
    /// CPUs' worth of time used; `None` where nobody counts it.
    pub cores: Option<f64>,
    /// Periods in which it was runnable.
    pub periods: u64,
    /// Of these throttled.
    pub throttled_periods: u64,
}

impl CgroupInterval {
    fn of(before: &CgroupLevel, now: &CgroupLevel, length: Duration) -> Option<Self> {
        let ns = length.as_nanos();
        (ns > 0).then(|| Self {
            cores: now
                .usage_ns
                .zip(before.usage_ns)
                .map(|(now, before)| now.saturating_sub(before) as f64 / ns as f64),
            periods: now.periods.saturating_sub(before.periods),
            throttled_periods: now
                .throttled_periods
                .saturating_sub(before.throttled_periods),
        })
    }
}

/// The agent's account of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentView {
    /// Events lost since the start, by kind; only kinds with any.
    pub lost: Vec<(&'static str, u64)>,
    /// Anomalies since the start, by kind; only kinds with any.
    pub anomalies: Vec<(&'static str, u64)>,
    /// The most bytes ever found waiting in the ring.
    pub ring_high_water_bytes: u64,
}

impl ScreenData {
    /// What the model holds now; `watched` names the target.
    #[must_use]
    pub fn of(model: &Model, watched: &str) -> Self {
        let health = model.health();
        let now = model.now();
        let totals = model.summary(now).sessions;
        let mut sessions: Vec<_> = model
            .session_histories()
            .zip(totals)
            .map(|(course, total)| session(course, total))
            .collect();
        sessions.sort_by_key(|s| s.ended);
        Self {
            watched: watched.to_owned(),
            watched_for: model.age(),
            now_ns: now.utc_ns,
            ended: false,
            playing: None,
            max_latency: model.max_latency(),
            sessions,
            sessions_observed: model.sessions_observed(),
            threads: model.threads().map(ThreadView::of).collect(),
            cgroups: model.cgroups().map(ProcessCgroups::of).collect(),
            agent: AgentView {
                lost: health.lost().filter(|&(_, n)| n > 0).collect(),
                anomalies: health.anomalies().filter(|&(_, n)| n > 0).collect(),
                ring_high_water_bytes: health.ring_high_water_bytes,
            },
        }
    }
}

fn session(course: SessionHistory<'_>, total: SessionFigures) -> SessionView {
    SessionView {
        name: course.name.clone(),
        tid: course.tid,
        ended: course.ended,
        points: course.points.iter().copied().collect(),
        latest: course.latest.cloned(),
        total,
        verdict: course.verdict.cloned(),
    }
}
