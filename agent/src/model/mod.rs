//! What has been measured, in one place: every output reads this and nothing else.

mod ages;
mod blame;
mod buckets;
mod cgroup;
mod cpu;
mod culprit;
mod doing;
mod facts;
mod figures;
mod followed;
mod health;
mod histograms;
mod history;
mod input;
mod matrix;
mod message;
mod moment;
mod process;
mod recent;
mod roster;
mod series;
mod session;
mod store;
mod sums;
mod tally;
mod thread_use;
mod verdict;
mod what_if;

pub use ages::Spread;
pub use blame::{BlameRow, Waits};
pub use cgroup::{CgroupLevel, CgroupUse};
pub use culprit::{
    Charge, Culprit, CulpritId, Doing, Function, Kin, Lock, Object, Sample, ThreadName, Wait,
};
pub use doing::Samples;
pub use facts::{Excluded, TapDelta, ThreadFacts, WindowFacts};
pub use figures::{Interval, SessionFigures, SessionName, Summary};
pub use followed::{Followed, FollowedBy};
pub use health::{Capability, Discovery, Health, Hook, Kube, OwnUse, ProbeCost};
pub use history::{Course, Point};
pub use input::Input;
pub use matrix::{Matrix, Part, Split, Stage, Unbalanced};
pub use message::{HandOff, Message, MsgType, SentBetween, SentTime, SessionId};
pub use moment::Moment;
pub use process::{Container, Pod, ProcessFacts, Qos};
pub use recent::Recent;
pub use store::Model;
pub use sums::Sums;
pub use tally::{Exclusions, Figures, HandOffs, Narrowed, Skew};
pub use thread_use::ThreadUse;
pub use verdict::{
    Cause, CpuLimit, CpuUse, DOMINANT, Evidence, Flow, GROWING, HEALTHY_NS, MAX_LATENCY, TIE,
    Verdict, diagnose,
};
pub use what_if::{ASSUMPTIONS, Outcome, Scenario, Service, WhatIf, sentence as what_if_sentence};

pub(crate) use buckets::{AGE_BOUNDS_NS, Counts, WAIT_BOUNDS_NS, ZERO_THRESHOLD};
pub(crate) use histograms::{Exemplar, Exemplars, Histograms};
pub(crate) use session::Session;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
