//! What has been measured, in one place: every output reads this and nothing else.

mod ages;
mod buckets;
mod cgroup;
mod culprit;
mod facts;
mod figures;
mod health;
mod history;
mod input;
mod matrix;
mod message;
mod moment;
mod recent;
mod session;
mod store;
mod sums;
mod tally;
mod thread_use;

pub use ages::Spread;
pub use cgroup::{CgroupLevel, CgroupUse};
pub use culprit::{Charge, Culprit, CulpritId, Kin, Lock, Object, Sample, ThreadName, Wait};
pub use facts::{Excluded, TapDelta, ThreadFacts};
pub use figures::{Interval, SessionFigures, SessionName, Summary};
pub use health::{Capability, Health, Hook, ProbeCost};
pub use history::{Course, Point};
pub use input::Input;
pub use matrix::{Matrix, Part, Split, Stage, Unbalanced};
pub use message::{HandOff, Message, MsgType, SentBetween, SentTime, SessionId};
pub use moment::Moment;
pub use recent::Recent;
pub use store::Model;
pub use sums::Sums;
pub use tally::{Exclusions, Figures, HandOffs, Narrowed, Skew};
pub use thread_use::ThreadUse;

pub(crate) use session::{Histograms, Session};
pub(crate) use store::labels;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
