//! The ages that the replays of a session give.

use super::scenario::Scenario;
use crate::stats::AgeQuantiles;

/// The ages in one scenario. Quantiles are at most 1 % above the exact ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScenarioAges {
    /// The scenario.
    pub scenario: Scenario,
    /// The ages as they would have been.
    pub age: AgeQuantiles,
}

/// The ages of a session in every scenario, of an interval or since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WhatIf {
    /// The ages as measured.
    pub measured: AgeQuantiles,
    /// All scenarios in the order of [`Scenario::ALL`].
    pub scenarios: Vec<ScenarioAges>,
}

/// An age of at least this share of the unchanged one is no improvement worth mentioning.
const NO_CHANGE_RATIO: f64 = 0.9;

impl WhatIf {
    /// Whether the 99th percentile is smaller in a scenario by an amount worth mentioning.
    #[must_use]
    pub(crate) fn helps(&self, scenario: Scenario) -> bool {
        let (Some(as_it_was), Some(of)) = (self.of(Scenario::AsItWas), self.of(scenario)) else {
            return false;
        };
        (of.p99_ns as f64) < NO_CHANGE_RATIO * as_it_was.p99_ns as f64
    }

    /// The ages in one scenario.
    #[must_use]
    pub(crate) fn of(&self, scenario: Scenario) -> Option<&AgeQuantiles> {
        let ages = self.scenarios.iter().find(|s| s.scenario == scenario)?;
        Some(&ages.age)
    }
}
