//! What the replays of a session gave.

use super::scenario::Scenario;
use crate::stats::Quantiles;

/// The ages of one scenario. Quantiles are at most 1 % above the exact ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was different.
    pub scenario: Scenario,
    /// The ages that would have come of it.
    pub age: Quantiles,
}

/// Every scenario of a session, of an interval or since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIf {
    /// The ages as measured.
    pub measured: Quantiles,
    /// In the order of [`Scenario::ALL`], each of them.
    pub outcomes: Vec<Outcome>,
}

/// An age that is at least this share of the one beside it is no change worth a word.
const NO_CHANGE: f64 = 0.9;

impl WhatIf {
    /// Whether a scenario makes the 99th percentile less than it was, by what is worth a word.
    #[must_use]
    pub fn helps(&self, scenario: Scenario) -> bool {
        let (Some(as_it_was), Some(of)) = (self.of(Scenario::AsItWas), self.of(scenario)) else {
            return false;
        };
        (of.p99_ns as f64) < NO_CHANGE * as_it_was.p99_ns as f64
    }

    /// The ages of one scenario.
    #[must_use]
    pub fn of(&self, scenario: Scenario) -> Option<&Quantiles> {
        let outcome = self.outcomes.iter().find(|o| o.scenario == scenario)?;
        Some(&outcome.age)
    }
}
