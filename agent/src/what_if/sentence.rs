//! What came out, in words.

use super::{outcome::WhatIf, scenario::Scenario};
use crate::domain::units::HumanDuration;

/// A replay within this of what was measured, by ratio, is a faithful one.
const FAITHFUL: f64 = 0.9;

/// Scenarios told of at most, those that help most.
const TOLD: usize = 2;

/// `without the GIL wait p99 0.4 ms instead of 14 s; with more CPU no change`. `gil` says that the
/// lock is CPython's.
#[must_use]
pub fn sentence(what_if: &WhatIf, gil: bool) -> String {
    let Some(as_it_was) = what_if.of(Scenario::AsItWas) else {
        return String::new();
    };
    let phrase = |scenario: Scenario| match scenario {
        Scenario::WithoutLock if gil => "without the GIL wait",
        other => other.phrase(),
    };
    let mut better: Vec<_> = what_if.outcomes[1..]
        .iter()
        .filter(|outcome| what_if.helps(outcome.scenario))
        .collect();
    better.sort_by_key(|outcome| outcome.age.p99_ns);
    let mut said: Vec<String> = Vec::new();
    for outcome in better.iter().take(TOLD) {
        let mut text = format!(
            "{} p99 {}",
            phrase(outcome.scenario),
            HumanDuration::from(outcome.age.p99_ns)
        );
        if said.is_empty() {
            text.push_str(&format!(
                " instead of {}",
                HumanDuration::from(what_if.measured.p99_ns)
            ));
        }
        said.push(text);
    }
    if said.is_empty() {
        return "none of the waits taken out alone changes the p99".to_owned();
    }
    if !what_if.helps(Scenario::MoreCpu) {
        said.push(format!("{} no change", phrase(Scenario::MoreCpu)));
    }
    let (replayed, measured) = (as_it_was.p99_ns as f64, what_if.measured.p99_ns as f64);
    if replayed < FAITHFUL * measured || replayed * FAITHFUL > measured {
        said.push(format!(
            "the replay is off: with nothing taken out it gives {}",
            HumanDuration::from(as_it_was.p99_ns)
        ));
    }
    said.join("; ")
}
