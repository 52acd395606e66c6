//! What holds of any queue.

use proptest::{prelude::*, test_runner::TestCaseError};

use super::{Load, MS, SimulatedReader, US, measured, near, replayed};
use crate::{
    domain::{Message, Part, fixtures},
    what_if::{Scenario, WhatIf, replay::WhatIfReplay},
};

fn waits() -> impl Strategy<Value = Vec<(Part, i64)>> {
    // Unknown time is not replayed.
    let observed: Vec<_> = Part::ALL[1..]
        .iter()
        .copied()
        .filter(|&part| part != Part::Unknown)
        .collect();
    let part = prop::sample::select(observed);
    let ns = prop_oneof![Just(0), 0_i64..100 * US, 0_i64..5 * MS];
    prop::collection::vec((part, ns), 1..4)
}

prop_compose! {
    fn any_loads()(
        each in prop::collection::vec((0_i64..4 * MS, waits()), 1..150)
    ) -> Vec<Load> {
        let mut arrives = 0;
        each.into_iter().map(|(gap, work)| {
            arrives += gap;
            Load { arrives, held_back: 0, work }
        }).collect()
    }
}

/// Messages that need not come from one reader, or from any.
fn any_messages() -> impl Strategy<Value = Vec<Message>> {
    let later = prop_oneof![Just(0), 0..100 * MS as u64, 0..10_000 * MS as u64];
    let message = (fixtures::any_message(0), later).prop_map(|(mut message, later)| {
        message.handed_off_at += later;
        message
    });
    prop::collection::vec(message, 1..60)
}

fn assert_no_scenario_is_older(what_if: &WhatIf) -> Result<(), TestCaseError> {
    let as_it_was = what_if.of(Scenario::AsItWas).expect("there");
    for ages in &what_if.scenarios {
        let (age, scenario) = (&ages.age, ages.scenario);
        prop_assert!(age.p50_ns <= as_it_was.p50_ns, "{:?}", scenario);
        prop_assert!(age.p90_ns <= as_it_was.p90_ns, "{:?}", scenario);
        prop_assert!(age.p99_ns <= as_it_was.p99_ns, "{:?}", scenario);
        prop_assert!(age.p999_ns <= as_it_was.p999_ns, "{:?}", scenario);
        prop_assert!(age.max_ns <= as_it_was.max_ns, "{:?}", scenario);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn without_a_difference_the_replay_is_as_measured(
        loads in any_loads(),
        wake in waits(),
        max_per_call in 1_usize..40,
        calls in prop::option::of(1_usize..4),
    ) {
        let mut reader = SimulatedReader::new(&wake, max_per_call);
        if let Some(calls) = calls {
            (reader.by_function, reader.calls) = (true, calls);
        }
        let messages = reader.read(&loads);
        let what_if = replayed(&messages);
        let as_it_was = what_if.of(Scenario::AsItWas).expect("there");
        for (got, want) in [
            (as_it_was.p50_ns, what_if.measured.p50_ns),
            (as_it_was.p99_ns, what_if.measured.p99_ns),
        ] {
            prop_assert!(near(got, want, 0.012), "{} for {}", got, want);
        }
        // With --handoff, what follows the last hand-off is not counted as the reader's time.
        prop_assert_eq!(as_it_was.max_ns, what_if.measured.max_ns);
        prop_assert_eq!(as_it_was.min_ns, what_if.measured.min_ns);
    }

    #[test]
    fn a_removed_wait_never_makes_messages_older(
        loads in any_loads(),
        wake in waits(),
        max_per_call in 1_usize..40,
    ) {
        let messages = SimulatedReader::new(&wake, max_per_call).read(&loads);
        let what_if = replayed(&messages);
        let as_it_was = *what_if.of(Scenario::AsItWas).expect("there");
        let has = |part| messages.iter().any(|m| m.split.matrix().part(part) > 0);
        for (scenario, part) in [
            (Scenario::WithoutLock, Part::LockWait),
            (Scenario::WithoutThrottle, Part::Throttle),
            (Scenario::WithoutRunQueue, Part::RunQueue),
            (Scenario::WithoutBlocked, Part::Blocked),
            (Scenario::FasterHandler, Part::OnCpu),
        ] {
            let age = *what_if.of(scenario).expect("there");
            if !has(part) {
                prop_assert_eq!(age, as_it_was);
            }
        }
        assert_no_scenario_is_older(&what_if)?;
    }

    #[test]
    fn no_scenario_makes_any_messages_older(messages in any_messages()) {
        let mut replay = WhatIfReplay::default();
        for m in &messages {
            replay.message(m);
        }
        let (total, _) = replay.total(Some(measured(&messages)));
        let (interval, _) = replay.take_interval(Some(measured(&messages)));
        for what_if in total.iter().chain(&interval) {
            assert_no_scenario_is_older(what_if)?;
        }
    }

    /// Beside a reader of the same messages that never waits for the lock.
    #[test]
    fn without_the_lock_is_what_a_reader_without_a_lock_measures(
        loads in any_loads(),
        max_per_call in 1_usize..40,
    ) {
        let wake = [(Part::OnCpu, 5 * US)];
        let predicted = replayed(&SimulatedReader::new(&wake, max_per_call).read(&loads));
        let mut free = loads.clone();
        for load in &mut free {
            load.work.retain(|&(part, _)| part != Part::LockWait);
        }
        let truth = measured(&SimulatedReader::new(&wake, max_per_call).read(&free));
        let max = predicted.of(Scenario::WithoutLock).expect("there").max_ns;
        // One call's messages share its cost: off by what the calls of one reader cost at most.
        let busiest = loads.iter().map(|l| l.work.iter().map(|w| w.1).sum::<i64>()).max();
        let slack = busiest.unwrap_or(0) * max_per_call as i64 + loads.len() as i64 * 5 * US;
        prop_assert!((max - truth.max_ns).abs() <= slack, "{} for {}", max, truth.max_ns);
    }
}
