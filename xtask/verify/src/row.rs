//! One line of the table: what was injected, what was found, and which bars that meets.

use crate::errors::ErrorQuantiles;
use crate::observe::ObservedRun;
use crate::{blame, compare};

/// A bar, and the figure held against it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BarCheck {
    /// What is compared.
    pub name: &'static str,
    /// The figure, in `unit`.
    pub figure: f64,
    /// The figure may be no larger.
    pub at_most: f64,
    /// `%`, `us`, `ms`, `points` (of per cent) or a plain noun.
    pub unit: &'static str,
    /// Why this bar is not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

impl BarCheck {
    /// `figure` may be at most `at_most`.
    pub fn at_most(name: &'static str, figure: f64, at_most: f64, unit: &'static str) -> Self {
        Self {
            name,
            figure,
            at_most,
            unit,
            note: None,
        }
    }

    /// A count that must be zero.
    pub fn none(name: &'static str, count: usize) -> Self {
        Self::at_most(name, count as f64, 0.0, "")
    }

    /// Says why the bar is not the usual one.
    pub fn because(mut self, reason: &'static str) -> Self {
        self.note = Some(reason);
        self
    }

    /// Whether the figure is below the bar. A figure that is no number is not.
    pub fn passes(&self) -> bool {
        self.figure <= self.at_most
    }
}

/// The name of the check of messages that the agent has no line for.
pub const MISSED: &str = "messages the agent missed";

/// What the quantity of a row of blame begins with.
pub const BLAME: &str = "blame: ";

/// Of so many messages the time may be unknown where the kernel's hooks kept silent about a change
/// of state, a share: all those that were waiting then.
const SILENT: f64 = 0.02;

/// The checks of every row: sums that do not hold, messages without a line, messages with unknown
/// time. None of them may be; but what the agent did not observe it must not claim.
pub(super) fn counts(run: &ObservedRun, missed: usize) -> Vec<BarCheck> {
    let unseen = run.silent().unseen as f64;
    let excused = unseen.max(SILENT * run.messages.len() as f64);
    let excused = if unseen > 0.0 { excused } else { 0.0 };
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

/// What one case of an experiment found.
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
    pub errors: ErrorQuantiles,
    /// The other part whose total is farthest from its own truth, and by how much, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak: Option<(&'static str, i64)>,
    /// Messages with unknown time.
    pub unknown: usize,
    /// The bars.
    pub checks: Vec<BarCheck>,
    /// Other figures worth telling.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl ResultRow {
    /// The same without a word on the other parts, which have rows of their own.
    pub(super) fn alone(mut self) -> Self {
        self.leak = None;
        self.checks
            .retain(|check| check.name != compare::OTHER_PARTS);
        self
    }

    /// The same with another bar for one of its checks, and why.
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

    /// The agent's total beside the true one.
    pub fn ratio(&self) -> f64 {
        self.found_ns as f64 / self.truth_ns as f64
    }
}
