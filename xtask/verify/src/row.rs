//! One line of the table: what was injected, what was found, and which bars that meets.

use crate::observe::ObservedRun;
use crate::{blame, compare};
use lab::quantiles::Quantiles;

/// A bar and the figure compared with it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BarCheck {
    /// Name of the figure.
    pub name: &'static str,
    /// The figure, in `unit`.
    pub figure: f64,
    /// The bar: the largest figure that passes.
    pub at_most: f64,
    /// `%`, `us`, `ms`, `points` (of per cent) or a plain noun.
    pub unit: &'static str,
    /// Why this bar is not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

impl BarCheck {
    /// Creates a check that passes when `figure` is at most `at_most`.
    pub fn at_most(name: &'static str, figure: f64, at_most: f64, unit: &'static str) -> Self {
        Self {
            name,
            figure,
            at_most,
            unit,
            note: None,
        }
    }

    /// Creates a check of a count that must be zero.
    pub fn none(name: &'static str, count: usize) -> Self {
        Self::at_most(name, count as f64, 0.0, "")
    }

    /// Adds the reason for an unusual bar.
    pub(super) fn because(mut self, reason: &'static str) -> Self {
        self.note = Some(reason);
        self
    }

    /// Whether the figure meets the bar. NaN does not.
    pub fn passes(&self) -> bool {
        self.figure <= self.at_most
    }
}

/// The name of the check of messages that the agent has no line for.
pub const MISSED: &str = "messages the agent missed";

/// Prefix of the quantity in rows of blame.
pub const BLAME: &str = "blame: ";

/// Share of messages that may have unknown time when the kernel's hooks missed a change of state:
/// all those that were waiting at that time.
const UNKNOWN_SHARE: f64 = 0.02;

/// Returns the checks of every row: sums that do not hold, messages without a line, messages with
/// unknown time. All must be zero, except that missed changes of state excuse unknown time.
pub(super) fn counts(run: &ObservedRun, missed: usize) -> Vec<BarCheck> {
    let unobserved = run.missed_switches().unobserved as f64;
    let excused = unobserved.max(UNKNOWN_SHARE * run.messages.len() as f64);
    let excused = if unobserved > 0.0 { excused } else { 0.0 };
    vec![
        BarCheck::none("sums that do not hold", run.inexact()),
        blame::sums(&run.blame),
        BarCheck::none(MISSED, missed),
        BarCheck::at_most(
            "messages with unknown time",
            run.unknown() as f64,
            excused,
            "",
        ),
    ]
}

/// The result of one case of an experiment.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ResultRow {
    /// The experiment, as `--only` names it.
    pub experiment: &'static str,
    /// What was injected.
    pub case: String,
    /// Where the truth comes from.
    pub truth: &'static str,
    /// What is compared: a part, a stage, `age`, or how much of a part is charged to the culprit
    /// ([`BLAME`]).
    pub quantity: &'static str,
    /// Messages compared.
    pub messages: usize,
    /// The total over all messages by the truth, nanoseconds.
    pub truth_ns: i64,
    /// The total over all messages by the agent, nanoseconds.
    pub found_ns: i64,
    /// |found - truth| per message.
    pub errors: Quantiles,
    /// The other part whose total is farthest from its own truth, and by how much, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak: Option<(&'static str, i64)>,
    /// Messages with unknown time.
    pub unknown: usize,
    /// The bars.
    pub checks: Vec<BarCheck>,
    /// Other figures of interest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl ResultRow {
    /// Removes the check of the other parts, which have rows of their own.
    pub(super) fn alone(mut self) -> Self {
        self.leak = None;
        self.checks
            .retain(|check| check.name != compare::OTHER_PARTS);
        self
    }

    /// Replaces the bar of one check and adds the reason.
    pub(super) fn with_bar(mut self, name: &str, at_most: f64, reason: &'static str) -> Self {
        for check in self.checks.iter_mut().filter(|check| check.name == name) {
            check.at_most = at_most;
            check.note = Some(reason);
        }
        self
    }

    /// Whether it meets every bar.
    pub fn passes(&self) -> bool {
        self.checks.iter().all(BarCheck::passes)
    }

    /// Returns the agent's total divided by the true one.
    pub fn ratio(&self) -> f64 {
        self.found_ns as f64 / self.truth_ns as f64
    }
}
