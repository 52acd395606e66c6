//! The verdict: why the messages of a session are old, by rules, with the evidence.
//!
//! [`evidence`] is what the rules look at, [`gather`] takes it from the model's figures, [`rules`]
//! finds the causes, [`words`] says them, [`advice`] what to do, [`facts`] what it rests on,
//! [`flow`] knows what comes in and what is drained, [`trend`] where the ages are going.

mod advice;
mod cause;
mod evidence;
mod facts;
mod flow;

mod rules;
#[cfg(test)]
mod tests;
mod trend;
mod words;

use std::time::Duration;

pub use cause::Cause;
pub use evidence::{CpuLimit, CpuUse, Evidence};
pub use flow::Flow;
pub use rules::{DOMINANT, GROWING, HEALTHY_NS, TIE, diagnose};

pub(crate) use flow::FlowTally;

pub(crate) use trend::{Line, Trend};

/// MaxLatency when it is not given: at 120 s many FIX engines refuse a message and log the
/// session out.
pub const MAX_LATENCY: Duration = Duration::from_secs(120);

/// Why messages are old, in an interval or since the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The causes, the weightiest first: more than one only when they weigh about the same. Never
    /// empty.
    pub causes: Vec<Cause>,
    /// What to know.
    pub sentence: String,
    /// What to do; empty when there is nothing to do, or nothing known to help.
    pub advice: String,
    /// What it rests on.
    pub evidence: Vec<String>,
    /// What comes in, what is drained, and where that leads.
    pub flow: Flow,
    /// What is used of the CPU, and of the limit; `None` when not known.
    pub cpu: Option<CpuUse>,
}

impl Verdict {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.causes == [Cause::Healthy]
    }
}
