//! What the model hands to the outputs.

use std::{sync::Arc, time::Duration};

use crate::stats::BlameRow;
use crate::{
    domain::{Health, Part, ProcessInfo, SessionId, WindowClosures},
    stats::Figures,
    verdict::Verdict,
    what_if::{WhatIf, sentence},
};

/// Whose figures they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SessionName {
    /// One session on one connection.
    One(Arc<SessionId>),
    /// All sessions that are open beyond the limit, together.
    Other,
    /// Sessions that ended and made room for new ones, together.
    Earlier,
}

impl SessionName {
    /// The session, when it is a single one.
    #[must_use]
    pub fn id(&self) -> Option<&SessionId> {
        match self {
            Self::One(id) => Some(id),
            Self::Other | Self::Earlier => None,
        }
    }

    /// SenderCompID, or the name of the group.
    #[must_use]
    pub fn sender(&self) -> &str {
        match self {
            Self::One(id) => &id.sender,
            Self::Other => "other",
            Self::Earlier => "earlier",
        }
    }

    /// TargetCompID, or the name of the group.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::One(id) => &id.target,
            Self::Other | Self::Earlier => self.sender(),
        }
    }
}

/// The figures of one session, of an interval or since the start.
#[derive(Clone, Debug)]
pub struct SessionFigures {
    /// The session.
    pub name: SessionName,
    /// The thread that received its latest message; `None` for groups.
    pub tid: Option<u32>,
    /// MsgSeqNum of its latest fresh message; `None` for groups.
    pub last_seq: Option<u64>,
    /// Connections taken together: more than 1 once ended ones had to make room.
    pub connections: u64,
    /// The process that reads it; `None` for groups, and before it has been looked at.
    pub process: Option<Arc<ProcessInfo>>,
    /// Its socket was closed.
    pub ended: bool,
    /// Lock waits of its ingest thread, timed-out ones joined.
    pub lock_waits: u64,
    /// The longest of them since the start, in nanoseconds.
    pub longest_lock_wait_ns: u64,
    /// How often our receive window was closed.
    pub window: WindowClosures,
    /// What its messages add up to.
    pub figures: Figures,
    /// Who is charged with it, by part.
    pub blame: Vec<BlameRow>,
    /// Why its messages are as old as they are; `None` for groups, and without messages.
    pub verdict: Option<Verdict>,
    /// What its ages would be with one cause taken out; `None` for groups, and without messages.
    pub what_if: Option<WhatIf>,
}

impl SessionFigures {
    /// What the what-if replay came to, for people; empty when there is nothing to say.
    #[must_use]
    pub fn what_if_lines(&self) -> Vec<String> {
        let gil = self.blame.iter().find(|row| row.part == Part::LockWait);
        let gil = gil.is_some_and(BlameRow::is_gil);
        let said = self.what_if.as_ref().map(|w| sentence(w, gil));
        said.into_iter().filter(|text| !text.is_empty()).collect()
    }
}

/// Everything since the interval before.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Its end, nanoseconds since 1970 UTC.
    pub until_ns: i64,
    /// Its length.
    pub length: Duration,
    /// Sessions that are open, or had something to tell, in the order of first sight.
    pub sessions: Vec<SessionFigures>,
    /// Sessions ever seen; 0 while the agent waits for the first.
    pub sessions_observed: u64,
    /// Events lost in the interval, by kind; only kinds with any.
    pub lost: Vec<(&'static str, u64)>,
    /// Anomalies in the interval, by kind; only kinds with any.
    pub anomalies: Vec<(&'static str, u64)>,
}

/// Everything since the start.
#[derive(Clone, Debug)]
pub struct Summary {
    /// When the model was made, nanoseconds since 1970 UTC.
    pub since_ns: i64,
    /// When the summary was made, nanoseconds since 1970 UTC.
    pub until_ns: i64,
    /// The time between the two, by a clock that is never set.
    pub length: Duration,
    /// Every session in the order of first sight, then the groups.
    pub sessions: Vec<SessionFigures>,
    /// Sessions ever seen. Those that share [`SessionName::Other`] are told apart up to 4096.
    pub sessions_observed: u64,
    /// The agent's own losses and costs.
    pub health: Health,
}
