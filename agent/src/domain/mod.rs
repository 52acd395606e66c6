//! The types that every room shares: stages and parts of an age, messages, culprits, moments,
//! processes, and [`Update`], one change to the model.

mod activity;
mod aftermath;
mod cgroup;
mod culprit;
#[cfg(test)]
pub(crate) mod fixtures;
mod health;
mod matrix;
mod message;
mod moment;
mod process;
mod session_counts;
mod thread_use;
pub(crate) mod units;
mod update;
mod wait;
mod waiting;

pub use activity::{Function, HolderSample, ThreadActivity};
pub use aftermath::{Aftermath, MessageAftermath};
pub use cgroup::{CgroupLevel, CgroupUse};
pub use culprit::{CallObject, Charge, Culprit, CulpritId, Lock, RunnerRelation, ThreadName};
pub use health::{
    Availability, Capability, DiscoveryCounts, Health, KubeHealth, OwnUse, ProbeCost,
};
pub use matrix::{Matrix, Part, Split, Stage, Unbalanced};
pub use message::{HandOff, Message, MsgType, SentBetween, SentTime, SessionId};
pub use moment::Moment;
pub use process::{Container, Pod, ProcessInfo, Qos};
pub use session_counts::{ExclusionReason, LockWaitTotals, TapCounts, WindowClosures};
pub use thread_use::ThreadUse;
pub use update::{Sink, Update};
pub use wait::Wait;
pub use waiting::{InHand, OwnerEvidence, Queued, ReaderActivity, SleepObject, Waiting};
