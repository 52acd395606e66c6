//! The words that every room shares: stages and parts of an age, messages, culprits, timestamps,
//! what is known of processes, and [`Update`], one change to the model.

mod aftermath;
mod cgroup;
mod culprit;
mod facts;
mod health;
mod matrix;
mod message;
mod moment;
mod process;
#[cfg(test)]
pub(crate) mod samples;
mod thread_use;
pub(crate) mod units;
mod update;

pub use aftermath::{Followed, FollowedBy};
pub use cgroup::{CgroupLevel, CgroupUse};
pub use culprit::{
    Charge, Culprit, CulpritId, Doing, Function, Kin, Lock, Object, Sample, ThreadName, Wait,
};
pub use facts::{Excluded, TapDelta, ThreadFacts, WindowFacts};
pub use health::{Capability, Discovery, Health, Hook, Kube, OwnUse, ProbeCost};
pub use matrix::{Matrix, Part, Split, Stage, Unbalanced};
pub use message::{HandOff, Message, MsgType, SentBetween, SentTime, SessionId};
pub use moment::Moment;
pub use process::{Container, Pod, ProcessFacts, Qos};
pub use thread_use::ThreadUse;
pub use update::Update;
