//! The words that every room shares: stages and parts of an age, messages, culprits, timestamps,
//! what is known of processes, and [`Update`], one change to the model.

mod aftermath;
mod cgroup;
mod culprit;
mod facts;
#[cfg(test)]
pub(crate) mod fixtures;
mod health;
mod matrix;
mod message;
mod moment;
mod process;
mod thread_use;
pub(crate) mod units;
mod update;

pub use aftermath::{Aftermath, MessageAftermath};
pub use cgroup::{CgroupLevel, CgroupUse};
pub use culprit::{
    CallObject, Charge, Culprit, CulpritId, Function, HolderSample, Lock, RunnerRelation,
    ThreadActivity, ThreadName, Wait,
};
pub use facts::{ExclusionReason, LockWaitTotals, TapCounts, WindowClosures};
pub use health::{
    Availability, Capability, DiscoveryCounts, Health, KubeHealth, OwnUse, ProbeCost,
};
pub use matrix::{Matrix, Part, Split, Stage, Unbalanced};
pub use message::{HandOff, Message, MsgType, SentBetween, SentTime, SessionId};
pub use moment::Moment;
pub use process::{Container, Pod, ProcessInfo, Qos};
pub use thread_use::ThreadUse;
pub use update::Update;
