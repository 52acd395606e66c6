//! The figures that outputs read.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{Health, Part, ProcessInfo, SessionId, WindowClosures},
    stats::{BlameRow, Figures, WaitingNow},
    verdict::Verdict,
    what_if::{WhatIf, sentence},
};

/// The session or the group that figures are of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SessionName {
    /// One session on one connection.
    One(Arc<SessionId>),
    /// All open sessions beyond the limit, together.
    Other,
    /// Ended sessions that made room for new ones, together.
    Earlier,
}

impl SessionName {
    /// The session, when it is a single one.
    #[must_use]
    pub(crate) fn id(&self) -> Option<&SessionId> {
        match self {
            Self::One(id) => Some(id),
            Self::Other | Self::Earlier => None,
        }
    }

    /// SenderCompID, or the name of the group.
    #[must_use]
    pub(crate) fn sender(&self) -> &str {
        match self {
            Self::One(id) => &id.sender,
            Self::Other => "other",
            Self::Earlier => "earlier",
        }
    }

    /// TargetCompID, or the name of the group.
    #[must_use]
    pub(crate) fn target(&self) -> &str {
        match self {
            Self::One(id) => &id.target,
            Self::Other | Self::Earlier => self.sender(),
        }
    }
}

/// The figures of one session, of an interval or since the start.
#[derive(Clone, Debug)]
pub(crate) struct SessionFigures {
    /// The session.
    pub name: SessionName,
    /// Thread id of the reader of its latest message; `None` for groups.
    pub tid: Option<u32>,
    /// MsgSeqNum of its latest fresh message; `None` for groups.
    pub last_seq: Option<u64>,
    /// Number of connections: more than 1 once ended ones have been merged into it.
    pub connections: u64,
    /// The process that reads it; `None` for groups, and before it is resolved.
    pub process: Option<Arc<ProcessInfo>>,
    /// Whether its socket was closed.
    pub ended: bool,
    /// Lock waits of its reader; consecutive timed-out waits count as one.
    pub lock_waits: u64,
    /// The longest lock wait since the start, nanoseconds.
    pub longest_lock_wait_ns: u64,
    /// The closures of our receive window.
    pub window: WindowClosures,
    /// The figures of its messages.
    pub figures: Figures,
    /// Its charges by part.
    pub blame: Vec<BlameRow>,
    /// What waits now; `None` for groups, ended sessions and before the first sample.
    pub waiting: Option<WaitingNow>,
    /// Why its messages are as old as they are; `None` for groups, and without messages.
    pub verdict: Option<Verdict>,
    /// Its ages with one cause of waiting removed; `None` for groups, and without messages.
    pub what_if: Option<WhatIf>,
}

impl SessionFigures {
    /// What waits now, when the session is stalled.
    pub(crate) fn stall(&self) -> Option<&WaitingNow> {
        self.waiting.as_ref().filter(|waiting| waiting.stalled)
    }

    /// What waits now, when the session is stalled and it is older than every message handed off.
    pub(crate) fn oldest_stall(&self) -> Option<&WaitingNow> {
        let measured = self.figures.age.map_or(0, |age| age.max_ns);
        self.stall()
            .filter(|stall| stall.waiting.age_ns() > measured)
    }

    /// The what-if in words; empty when there is nothing to say.
    #[must_use]
    pub(crate) fn what_if_lines(&self) -> Vec<String> {
        let gil = self.blame.iter().find(|row| row.part == Part::LockWait);
        let gil = gil.is_some_and(BlameRow::is_gil);
        let text = self.what_if.as_ref().map(|w| sentence(w, gil));
        text.into_iter().filter(|text| !text.is_empty()).collect()
    }
}

/// The figures of an interval.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    /// Its end, nanoseconds since 1970 UTC.
    pub until_ns: i64,
    /// Its length.
    pub length: Duration,
    /// The sessions that are open or have any figures, in the order of first observation.
    pub sessions: Vec<SessionFigures>,
    /// Number of sessions so far; 0 while the agent waits for the first one.
    pub sessions_observed: u64,
    /// Events lost in the interval, by kind; only kinds with any.
    pub lost: Vec<(&'static str, u64)>,
    /// Anomalies in the interval, by kind; only kinds with any.
    pub anomalies: Vec<(&'static str, u64)>,
}

/// The figures since the start.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// When the model was made, nanoseconds since 1970 UTC.
    pub since_ns: i64,
    /// When the summary was made, nanoseconds since 1970 UTC.
    pub until_ns: i64,
    /// The time between the two by the monotonic clock.
    pub length: Duration,
    /// Every session in the order of first observation, then the groups.
    pub sessions: Vec<SessionFigures>,
    /// Number of sessions so far. Those that share [`SessionName::Other`] are distinguished up to
    /// 4096.
    pub sessions_observed: u64,
    /// The agent's health.
    pub health: Health,
}
