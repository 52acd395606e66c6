//! What flows through the pipeline.

use std::sync::Arc;

use crate::domain::{
    cgroup::CgroupUse,
    culprit::{Culprit, CulpritId, HolderSample, Wait},
    facts::{ExclusionReason, LockWaitTotals, TapCounts, WindowClosures},
    health::Health,
    message::{Message, SessionId},
    process::ProcessInfo,
    thread_use::ThreadUse,
};

/// One change to the model: what the joins, the attribution and the samples of the engine publish.
/// The same updates at the same moments make the same model; a recording holds nothing else.
#[derive(Clone, Debug)]
pub enum Update {
    /// A message has been joined.
    Message(Box<Message>),
    /// A message has no age.
    Excluded(Arc<SessionId>, ExclusionReason),
    /// What the tap met in a session's byte stream since the last update of this kind.
    Tap(Arc<SessionId>, TapCounts),
    /// The lock waits of a session's ingest thread, cumulative since the session was first seen.
    LockWaits(Arc<SessionId>, LockWaitTotals),
    /// The session's socket was closed. It stays in the summary; its metrics go away two minutes
    /// later, unless a session with the same labels is open.
    SessionEnded(Arc<SessionId>),
    /// The agent's account of itself, cumulative.
    Health(Box<Health>),
    /// From now on this is what an id stands for.
    Culprit(CulpritId, Arc<Culprit>),
    /// Nobody will be charged under this id any more.
    CulpritRetired(CulpritId),
    /// A wait of a watched thread is over.
    Wait(Wait),
    /// The cgroups of a watched process, cumulative.
    Cgroup(Box<CgroupUse>),
    /// A process reads a session, or more is known of it.
    Process(Box<ProcessInfo>),
    /// A process that was published has ended: its pid may pass on to another.
    ProcessEnded(u32),
    /// What a thread of a watched process does with its time, cumulative; all of a process at one
    /// moment.
    ThreadUse(Box<ThreadUse>),
    /// What the holder of a lock was doing.
    HolderSample(Box<HolderSample>),
    /// How often our window was closed, cumulative since the session was first seen.
    Window(Arc<SessionId>, WindowClosures),
    /// An interval ends here: its figures are taken from the model, and the next one begins.
    IntervalEnded,
}

impl Update {
    /// The session it is about, for what comes from the streams.
    #[must_use]
    pub const fn session(&self) -> Option<&Arc<SessionId>> {
        match self {
            Self::Message(message) => Some(&message.session),
            Self::Excluded(session, _)
            | Self::Tap(session, _)
            | Self::Window(session, _)
            | Self::SessionEnded(session) => Some(session),
            _ => None,
        }
    }
}
