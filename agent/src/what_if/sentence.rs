//! The result in a sentence.

use super::{ages::WhatIf, scenario::Scenario};
use crate::domain::units::HumanDuration;

/// A replay without any difference is faithful within this ratio of the measured age.
const FAITHFUL_RATIO: f64 = 0.9;

/// Scenarios mentioned: those that help most.
const MAX_SCENARIOS: usize = 2;

/// What would help most, such as `without the GIL wait p99 0.4 ms instead of 14 s; with more CPU no
/// change`. `gil` says that the lock is CPython's.
#[must_use]
pub(crate) fn sentence(what_if: &WhatIf, gil: bool) -> String {
    let Some(as_it_was) = what_if.of(Scenario::AsItWas) else {
        return String::new();
    };
    let phrase = |scenario: Scenario| match scenario {
        Scenario::WithoutLock if gil => "without the GIL wait",
        other => other.phrase(),
    };
    let mut better: Vec<_> = what_if.scenarios[1..]
        .iter()
        .filter(|ages| what_if.helps(ages.scenario))
        .collect();
    better.sort_by_key(|ages| ages.age.p99_ns);
    let (replayed, measured) = (as_it_was.p99_ns, what_if.measured.p99_ns);
    let is_faithful = is_faithful(replayed, measured);
    // What the replay predicts is compared with what it gives for the unchanged run where that is
    // not what was measured.
    let today = if is_faithful { measured } else { replayed };
    let mut clauses: Vec<String> = Vec::new();
    for ages in better.iter().take(MAX_SCENARIOS) {
        let mut text = format!(
            "{} p99 {}",
            phrase(ages.scenario),
            HumanDuration::from(ages.age.p99_ns)
        );
        if clauses.is_empty() {
            text.push_str(&format!(" instead of {}", HumanDuration::from(today)));
        }
        clauses.push(text);
    }
    if clauses.is_empty() {
        return "no single wait is worth removing: without it the p99 stays the same".to_owned();
    }
    if !what_if.helps(Scenario::MoreCpu) {
        clauses.push(format!("{} no change", phrase(Scenario::MoreCpu)));
    }
    if !is_faithful {
        clauses.push(format!(
            "the replay is inaccurate here: with no difference at all it gives p99 {}, and {} was \
             measured",
            HumanDuration::from(replayed),
            HumanDuration::from(measured)
        ));
    }
    clauses.join("; ")
}

/// Whether a replay without any difference gives about the age that was measured.
fn is_faithful(replayed_ns: i64, measured_ns: i64) -> bool {
    let (replayed, measured) = (replayed_ns as f64, measured_ns as f64);
    replayed >= FAITHFUL_RATIO * measured && replayed * FAITHFUL_RATIO <= measured
}
