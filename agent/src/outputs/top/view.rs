//! What is to be seen, copied from the model.

use std::time::Duration;

use crate::model::{
    CgroupLevel, CgroupUse, Course, Figures, Model, Part, Point, Recent, SessionName, ThreadUse,
};

/// Everything the live view shows.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// How the target is called: `pid 4711`.
    pub watched: String,
    /// For how long it has been watched.
    pub watched_for: Duration,
    /// The watched processes have ended: nothing here changes any more.
    pub ended: bool,
    /// Sessions that are open in the order of first sight, then those that have ended.
    pub sessions: Vec<SessionView>,
    /// Sessions ever seen.
    pub sessions_seen: u64,
    /// The threads of the watched processes, by process and thread.
    pub threads: Vec<ThreadView>,
    /// The cgroups of the watched processes, by process.
    pub cgroups: Vec<ProcessCgroups>,
    /// The agent's account of itself.
    pub agent: AgentView,
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
    pub points: Vec<Point>,
    /// The figures of its latest interval with messages.
    pub figures: Option<Figures>,
    /// What its messages are old from, in a few words (`GIL held by worker`).
    pub verdict: Option<String>,
    /// The same in a sentence.
    pub sentence: Option<String>,
    /// What else would have made of the ages: a line each.
    pub what_if: Vec<String>,
    /// Who is charged with what, the largest first.
    pub blame: Vec<BlameLine>,
    /// How long until messages are too old.
    pub deadline: Option<Deadline>,
}

impl SessionView {
    /// The interval to be shown: the latest; of a session that has ended the latest with messages.
    #[must_use]
    pub fn point(&self) -> Option<&Point> {
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
}

/// Who is charged with a part of the ages.
#[derive(Clone, Debug, PartialEq)]
pub struct BlameLine {
    /// The part.
    pub part: Part,
    /// Who or what.
    pub culprit: String,
    /// Of the summed ages, 0 to 1.
    pub share: f64,
    /// Of the summed ages, nanoseconds.
    pub ns: i128,
    /// Waits charged.
    pub waits: u64,
    /// The longest of them, nanoseconds.
    pub longest_ns: u64,
}

/// When messages become too old for the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The age that is too old (`MaxLatency`), nanoseconds.
    pub limit_ns: i64,
    /// Until then, if ages go on as they do; zero: they are too old; `None`: they do not rise.
    pub left: Option<Duration>,
}

/// One thread.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadView {
    /// Its process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// Its name.
    pub comm: String,
    /// Shares of the latest interval, 0 to 1, in the order of [`Part::ALL`]; `None` before the first.
    pub shares: Option<[f32; Part::ALL.len()]>,
}

impl ThreadView {
    fn of(recent: &Recent<ThreadUse>) -> Self {
        let ThreadUse {
            pid,
            tid,
            comm,
            ns: now,
        } = &recent.now;
        let shares = recent.before.as_ref().and_then(|(before, _)| {
            let spent: [u64; Part::ALL.len()] =
                std::array::from_fn(|i| now[i].saturating_sub(before.ns[i]));
            let whole: u64 = spent.iter().sum();
            (whole > 0).then(|| spent.map(|ns| (ns as f64 / whole as f64) as f32))
        });
        Self {
            pid: *pid,
            tid: *tid,
            comm: comm.clone(),
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
    pub levels: Vec<LevelView>,
}

impl ProcessCgroups {
    fn of(recent: &Recent<CgroupUse>) -> Self {
        let level = |now: &CgroupLevel| {
            let before = recent.before.as_ref().and_then(|(before, length)| {
                let before = before.levels.iter().find(|old| old.path == now.path)?;
                Some((before, *length))
            });
            LevelView {
                path: now.path.clone(),
                limit: now.cores(),
                current: before.and_then(|(before, length)| CgroupView::of(before, now, length)),
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
pub struct LevelView {
    /// Its path below the cgroup mount.
    pub path: String,
    /// How many CPUs' worth of time it may use; `None`: no limit.
    pub limit: Option<f64>,
    /// Its latest interval; `None` before the first.
    pub current: Option<CgroupView>,
    /// Throttled periods since the cgroup was made.
    pub throttled_periods: u64,
    /// For how long its threads were throttled since then, nanoseconds.
    pub throttled_ns: u64,
}

/// A cgroup in an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgroupView {
    /// CPUs' worth of time used.
    pub cores: f64,
    /// Periods in which it was runnable.
    pub periods: u64,
    /// Of these throttled.
    pub throttled_periods: u64,
}

impl CgroupView {
    fn of(before: &CgroupLevel, now: &CgroupLevel, length: Duration) -> Option<Self> {
        let ns = length.as_nanos();
        (ns > 0).then(|| Self {
            cores: now.usage_ns.saturating_sub(before.usage_ns) as f64 / ns as f64,
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

impl View {
    /// What the model holds now; `watched` names the target.
    #[must_use]
    pub fn of(model: &Model, watched: &str) -> Self {
        let health = model.health_ref();
        let mut sessions: Vec<_> = model.courses().map(session).collect();
        sessions.sort_by_key(|s| s.ended);
        Self {
            watched: watched.to_owned(),
            watched_for: model.age(),
            ended: false,
            sessions,
            sessions_seen: model.sessions_seen(),
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

fn session(course: Course<'_>) -> SessionView {
    SessionView {
        name: course.name.clone(),
        tid: course.tid,
        ended: course.ended,
        points: course.points.iter().copied().collect(),
        figures: course.latest.cloned(),
        verdict: None,
        sentence: None,
        what_if: Vec::new(),
        blame: Vec::new(),
        deadline: None,
    }
}
