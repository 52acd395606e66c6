//! What the replays of a session gave.

use super::scenario::Scenario;
use crate::model::ages::Spread;

/// The ages of one scenario. Quantiles are at most 1 % above the exact ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was different.
    pub scenario: Scenario,
    /// The ages that would have come of it.
    pub age: Spread,
}

/// Every scenario of a session, of an interval or since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIf {
    /// The ages as measured.
    pub measured: Spread,
    /// In the order of [`Scenario::ALL`], each of them.
    pub outcomes: Vec<Outcome>,
}

impl WhatIf {
    /// The ages of one scenario.
    #[must_use]
    pub fn of(&self, scenario: Scenario) -> Option<&Spread> {
        let outcome = self.outcomes.iter().find(|o| o.scenario == scenario)?;
        Some(&outcome.age)
    }
}
