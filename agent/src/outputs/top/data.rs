//! What the live view shows, copied from the model.

use std::{cmp::Reverse, time::Duration};

use super::playback::PlaybackStatus;
use crate::{
    domain::{CgroupLevel, CgroupUse, Culprit, Part, ThreadName, ThreadUse},
    model::{IntervalPoint, LatestPair, Model, SessionFigures, SessionHistory, SessionName},
    stats::{BlameRow, WaitingNow},
    verdict::Verdict,
};

/// Everything the live view shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScreenData {
    /// What is watched, in words: `pid 4711`.
    pub(super) target: String,
    /// How long it has been watched.
    pub(super) watched_for: Duration,
    /// The instant of this copy, nanoseconds since 1970 UTC; 0 when there is none.
    pub(super) now_ns: i64,
    /// The target or the recording has ended: nothing changes any more.
    pub(crate) ended: bool,
    /// Where the replay is; `None` in a live run.
    pub(crate) playback: Option<PlaybackStatus>,
    /// MaxLatency: the age at which counterparties refuse messages.
    pub(super) max_latency: Duration,
    /// Stalled sessions, the one that has waited longest first; then the other open ones in the order
    /// in which they appeared, and those that have ended.
    pub(super) sessions: Vec<SessionView>,
    /// The threads of the processes that read sessions, by process and thread.
    pub(super) threads: Vec<ThreadView>,
    /// The cgroups of these processes, by process.
    pub(super) cgroups: Vec<ProcessCgroups>,
    /// The agent's account of itself.
    pub(super) agent: AgentView,
}

/// The time that figures cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FigureScope {
    /// The latest interval with messages.
    #[default]
    LatestInterval,
    /// Since the start.
    SinceStart,
}

/// One session.
#[derive(Clone, Debug)]
pub(super) struct SessionView {
    /// The session.
    pub(super) name: SessionName,
    /// The thread that received its latest message.
    pub(super) tid: Option<u32>,
    /// Its socket was closed.
    pub(super) ended: bool,
    /// Its intervals, the oldest first.
    pub(super) points: Vec<IntervalPoint>,
    /// It is stalled, and the latest figures are those of what waits.
    pub(super) in_stall: bool,
    /// Its latest interval with messages; in a stall, what waits.
    pub(super) latest: Option<SessionFigures>,
    /// All since the start.
    pub(super) total: SessionFigures,
    /// The verdict of the latest interval.
    verdict: Option<Verdict>,
}

impl SessionView {
    fn of(course: SessionHistory<'_>, total: SessionFigures) -> Self {
        let in_stall = course.points.back().is_some_and(|point| point.stalled);
        let stall = total.stall().filter(|_| in_stall);
        let latest = stall.map(|stall| SessionFigures {
            figures: stall.figures(),
            blame: stall.blame(),
            verdict: course.verdict.cloned(),
            what_if: None,
            ..total.clone()
        });
        Self {
            name: course.name.clone(),
            tid: course.tid,
            ended: course.ended,
            points: course.points.iter().copied().collect(),
            in_stall: latest.is_some(),
            latest: latest.or_else(|| course.latest.cloned()),
            total,
            verdict: course.verdict.cloned(),
        }
    }

    /// The interval to show: the latest one; of an ended session the latest one with messages.
    pub(super) fn point(&self) -> Option<&IntervalPoint> {
        if self.ended {
            self.points.iter().rev().find(|point| point.has_age())
        } else {
            self.points.last()
        }
    }

    /// What waits now; `None` for groups, ended sessions and before the first sample.
    pub(super) const fn waiting(&self) -> Option<&WaitingNow> {
        self.total.waiting.as_ref()
    }

    /// What waits now, when the session is stalled.
    pub(super) fn stall(&self) -> Option<&WaitingNow> {
        self.total.stall()
    }

    /// Whether nothing waits now.
    pub(super) fn is_quiet(&self) -> bool {
        self.waiting().is_some_and(|now| now.waiting.is_empty())
    }

    /// For how long nothing was handed off while something waits, nanoseconds; 0 unless stalled.
    fn stalled_ns(&self) -> u64 {
        self.stall()
            .map_or(0, |stall| stall.waiting.without_hand_off_ns())
    }

    /// The process that reads it.
    pub(super) fn pid(&self) -> Option<u32> {
        self.name.id().map(|id| id.pid)
    }

    /// The figures of a scope; `None` before there are any.
    pub(super) fn figures(&self, scope: FigureScope) -> Option<&SessionFigures> {
        match scope {
            FigureScope::LatestInterval => self.latest.as_ref(),
            FigureScope::SinceStart => Some(&self.total).filter(|s| s.figures.messages > 0),
        }
    }

    /// The verdict: of an open session that of the latest interval, or none; of an ended session that
    /// of its last messages.
    pub(super) fn verdict(&self, scope: FigureScope) -> Option<&Verdict> {
        let last = self.latest.as_ref().filter(|_| self.ended);
        match scope {
            FigureScope::SinceStart => self.total.verdict.as_ref(),
            FigureScope::LatestInterval => self.verdict.as_ref().or_else(|| last?.verdict.as_ref()),
        }
    }

    /// The share of the ages that a thread is charged with, 0 to 1; `None` when it is not charged.
    pub(super) fn charged_to(&self, scope: FigureScope, tid: u32) -> Option<f32> {
        let figures = self.figures(scope)?;
        let of = |row: &&BlameRow| {
            let thread = row.culprit.as_ref().and_then(|who| who.thread());
            thread.is_some_and(|thread| thread.tid == tid)
        };
        let ns: i128 = figures.blame.iter().filter(of).map(|row| row.ns).sum();
        let whole = figures.figures.sums_without_skew().total();
        (ns > 0 && whole > 0).then(|| (ns as f64 / whole as f64) as f32)
    }

    /// The culprit that is charged with most of a part.
    pub(super) fn main_culprit(&self, scope: FigureScope, part: Part) -> Option<&Culprit> {
        let rows: &[BlameRow] = self.figures(scope).map_or(&[], |s| &s.blame);
        let row = rows.iter().find(|row| row.part == part)?;
        row.culprit.as_deref()
    }
}

/// One thread.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ThreadView {
    /// The thread.
    pub(super) thread: ThreadName,
    /// It reads a session; for other threads only on-cpu and run-queue are measured.
    pub(super) tracked: bool,
    /// Shares of the latest interval, 0 to 1, in the order of [`Part::ALL`]; `None` before the
    /// first.
    pub(super) shares: Option<[f32; Part::ALL.len()]>,
}

impl ThreadView {
    fn of(recent: &LatestPair<'_, ThreadUse>) -> Self {
        let now = recent.now;
        // The counters of tracked and other threads are not comparable.
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
pub(super) struct ProcessCgroups {
    /// The process.
    pub(super) pid: u32,
    /// Its own cgroup first, then the ancestors.
    pub(super) levels: Vec<CgroupView>,
}

impl ProcessCgroups {
    fn of(recent: &LatestPair<'_, CgroupUse>) -> Self {
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
pub(super) struct CgroupView {
    /// Its path below the cgroup mount.
    pub(super) path: String,
    /// CPUs it may use; `None` without a limit.
    pub(super) limit: Option<f64>,
    /// Its latest interval; `None` before the first.
    pub(super) current: Option<CgroupInterval>,
    /// Throttled periods since the cgroup was made.
    pub(super) throttled_periods: u64,
    /// How long its threads were throttled since then, nanoseconds.
    pub(super) throttled_ns: u64,
}

/// A cgroup in an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CgroupInterval {
    /// CPUs used; `None` where the cgroup does not account its use.
    pub(super) cores: Option<f64>,
    /// Periods in which it was runnable.
    pub(super) periods: u64,
    /// How many of these it was throttled in.
    pub(super) throttled_periods: u64,
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
pub(super) struct AgentView {
    /// Events lost since the start, by kind; only kinds with any.
    pub(super) lost: Vec<(&'static str, u64)>,
    /// Anomalies since the start, by kind; only kinds with any.
    pub(super) anomalies: Vec<(&'static str, u64)>,
    /// The most bytes that waited in the ring buffer.
    pub(super) ring_high_water_bytes: u64,
}

impl ScreenData {
    /// What the model holds now; `target` is what is watched, in words: `pid 4711`.
    pub(crate) fn of(model: &Model, target: &str) -> Self {
        let health = model.health();
        let now = model.now();
        let totals = model.summary(now).sessions;
        let mut sessions: Vec<_> = model
            .session_histories()
            .zip(totals)
            .map(|(course, total)| SessionView::of(course, total))
            .collect();
        sessions.sort_by_key(|s| (s.ended, Reverse(s.stalled_ns())));
        Self {
            target: target.to_owned(),
            watched_for: model.age(),
            now_ns: now.utc_ns,
            ended: false,
            playback: None,
            max_latency: model.max_latency(),
            sessions,
            threads: model.threads().map(|pair| ThreadView::of(&pair)).collect(),
            cgroups: model
                .cgroups()
                .map(|pair| ProcessCgroups::of(&pair))
                .collect(),
            agent: AgentView {
                lost: health.lost().filter(|&(_, n)| n > 0).collect(),
                anomalies: health.anomalies().filter(|&(_, n)| n > 0).collect(),
                ring_high_water_bytes: health.ring_high_water_bytes,
            },
        }
    }
}
