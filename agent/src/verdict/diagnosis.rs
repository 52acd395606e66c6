//! The diagnosis of a session.

use super::{
    advice::advice,
    cause::Cause,
    evidence::{CpuUse, Evidence},
    evidence_lines::evidence_lines,
    flow::Flow,
    rules::causes,
    sentence::sentence,
};

/// Why the messages of a session are old, in an interval or since the start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// At least one cause, the largest first; more than one only when they weigh about the same.
    pub causes: Vec<Cause>,
    /// The causes in words.
    pub sentence: String,
    /// What to do; empty when there is nothing to do or nothing is known to help.
    pub advice: String,
    /// The figures that the verdict rests on, in words.
    pub evidence: Vec<String>,
    /// Rates of arrivals and of draining, backlog, and growth of the age.
    pub flow: Flow,
    /// CPU use and limit of the process; `None` when not known.
    pub cpu: Option<CpuUse>,
}

impl Verdict {
    /// Whether there is nothing to do.
    #[must_use]
    pub(crate) fn is_healthy(&self) -> bool {
        self.causes == [Cause::Healthy]
    }
}

/// Finds the causes that the evidence shows.
#[must_use]
pub(crate) fn diagnose(evidence: &Evidence) -> Verdict {
    let causes = causes(evidence);
    Verdict {
        sentence: sentence(&causes, evidence),
        advice: advice(&causes, evidence),
        evidence: evidence_lines(evidence),
        causes,
        flow: evidence.flow,
        cpu: evidence.cpu.clone(),
    }
}
