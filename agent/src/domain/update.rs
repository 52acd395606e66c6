//! What the model is made of.

use std::sync::Arc;

use crate::domain::{
    cgroup::CgroupUse,
    culprit::{Culprit, CulpritId, Sample, Wait},
    facts::{Excluded, TapDelta, ThreadFacts, WindowFacts},
    health::Health,
    message::{Message, SessionId},
    process::ProcessFacts,
    thread_use::ThreadUse,
};

/// One thing the model is told. The same inputs at the same moments make the same model: that is
/// what a recording holds.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message has been joined.
    Message(Box<Message>),
    /// A message has no age.
    Excluded(Arc<SessionId>, Excluded),
    /// What the reader of a session's byte stream met since it was last told.
    Tap(Arc<SessionId>, TapDelta),
    /// What is known of a session's ingest thread, cumulative since the session was first seen.
    Threads(Arc<SessionId>, ThreadFacts),
    /// The session's socket was closed. It stays in the summary; its metrics go away two minutes
    /// later, unless a session with the same labels is open.
    Ended(Arc<SessionId>),
    /// The agent's account of itself, cumulative.
    Health(Box<Health>),
    /// From now on this is what an id stands for.
    Culprit(CulpritId, Arc<Culprit>),
    /// Nobody will be charged under this id any more.
    CulpritGone(CulpritId),
    /// A wait of a watched thread is over.
    Wait(Wait),
    /// The cgroups of a watched process, cumulative.
    Cgroup(Box<CgroupUse>),
    /// A process reads a session, or more is known of it.
    Process(Box<ProcessFacts>),
    /// A process that was told of has ended: its number may pass on to another.
    ProcessEnded(u32),
    /// What a thread of a watched process does with its time, cumulative; all of a process at one
    /// moment.
    ThreadUse(Box<ThreadUse>),
    /// What the holder of a lock was doing.
    Sample(Box<Sample>),
    /// How often our window was closed, cumulative since the session was first seen.
    Window(Arc<SessionId>, WindowFacts),
}
