//! The verdict: why the messages of a session are old, by rules, with the evidence.
//!
//! [`evidence`] is the input of the rules, with [`flow`] and [`trend`] for rates and growth.
//! [`diagnosis`] puts the verdict together: [`rules`] find the causes by the [`thresholds`],
//! [`sentence`] and [`advice`] say them and what to do, [`evidence_lines`] what the verdict rests on.
//! What several of these need is in [`measures`].

mod advice;
mod cause;
mod diagnosis;
mod evidence;
mod evidence_lines;
mod flow;
mod measures;
mod rules;
mod sentence;
#[cfg(test)]
mod tests;
mod thresholds;
mod trend;
mod waited;

pub use thresholds::HEALTHY_NS;
pub use waited::WaitedTime;

pub(crate) use cause::Cause;
pub(crate) use diagnosis::{Verdict, diagnose};
pub(crate) use evidence::{CpuLimit, CpuUse, Evidence};
pub(crate) use flow::{Flow, FlowTally};
pub(crate) use thresholds::DEFAULT_MAX_LATENCY;
pub(crate) use trend::{AgeLine, AgeTrend};
