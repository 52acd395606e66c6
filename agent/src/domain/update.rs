//! The updates that flow through the pipeline.

use std::sync::Arc;

use crate::domain::{
    activity::HolderSample,
    cgroup::CgroupUse,
    culprit::{Culprit, CulpritId},
    health::Health,
    message::{Message, SessionId},
    moment::Moment,
    process::ProcessInfo,
    session_counts::{ExclusionReason, LockWaitTotals, TapCounts, WindowClosures},
    thread_use::ThreadUse,
    wait::Wait,
    waiting::Waiting,
};

/// One change to the model, published by join, attribution and the engine's samples. The same
/// updates at the same moments make the same model; a recording contains nothing else.
#[derive(Clone, Debug)]
pub enum Update {
    /// A message has been joined.
    Message(Box<Message>),
    /// A message has no age, for this reason.
    Excluded(Arc<SessionId>, ExclusionReason),
    /// Irregularities of a session's byte stream since the previous update of this kind.
    Tap(Arc<SessionId>, TapCounts),
    /// The lock waits of a session's reader, cumulative since the session was first observed.
    LockWaits(Arc<SessionId>, LockWaitTotals),
    /// The session's socket was closed. The session stays in the summary; its metrics disappear two
    /// minutes later, unless a session with the same labels is open.
    SessionEnded(Arc<SessionId>),
    /// The agent's health, cumulative.
    Health(Box<Health>),
    /// From now on the id stands for this culprit.
    Culprit(CulpritId, Arc<Culprit>),
    /// No wait or message will be charged to this id any more.
    CulpritRetired(CulpritId),
    /// What waits on a session now, and what its reader does.
    Waiting(Arc<SessionId>, Box<Waiting>),
    /// A wait of a tracked thread is over.
    Wait(Wait),
    /// The cgroups of a target process, cumulative.
    Cgroup(Box<CgroupUse>),
    /// A process reads a session, or more of it has been resolved.
    Process(Box<ProcessInfo>),
    /// A process that was published has ended: its pid may be reused.
    ProcessEnded(u32),
    /// The counters of a thread of a target process, cumulative. All threads of one process are
    /// published at one moment.
    ThreadUse(Box<ThreadUse>),
    /// A sample of the holder of a lock.
    HolderSample(Box<HolderSample>),
    /// The closures of our receive window, cumulative since the session was first observed.
    Window(Arc<SessionId>, WindowClosures),
    /// An interval ends: its figures are taken from the model, and the next one begins.
    IntervalEnded,
}

impl Update {
    /// The session of an update that comes from a stream; `None` for all others.
    #[must_use]
    pub const fn session(&self) -> Option<&Arc<SessionId>> {
        match self {
            Self::Message(message) => Some(&message.session),
            Self::Excluded(session, _)
            | Self::Tap(session, _)
            | Self::Window(session, _)
            | Self::Waiting(session, _)
            | Self::SessionEnded(session) => Some(session),
            _ => None,
        }
    }
}

/// Where updates go, in the order in which they happened. There are three sources of updates: a
/// live run, the replay of a recording and its export.
pub trait Sink {
    /// Takes one update, which was made at `at`. A sink that has failed ignores what comes later;
    /// the failure is reported where the sink is closed.
    fn publish(&mut self, at: Moment, update: Update);
}
