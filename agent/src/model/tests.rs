//! Tests of the store as a whole.

use proptest::prelude::*;

use super::*;
use crate::domain::fixtures::{any_message, message, session};
use crate::domain::{ExclusionReason, LockWaitTotals, Moment, Part, Stage};

const LOCK: (Stage, Part, i64) = (Stage::Queued, Part::LockWait, 7_000_000);

fn messages(summary: &Summary) -> u64 {
    summary.sessions.iter().map(|s| s.figures.messages).sum()
}

fn total(summary: &Summary) -> i128 {
    summary
        .sessions
        .iter()
        .map(|s| s.figures.sums.total())
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn summed_parts_and_stages_equal_summed_ages(
        all in prop::collection::vec((0_u16..3).prop_flat_map(any_message), 0..60),
        cut in 0_usize..60,
    ) {
        let mut model = Model::at_zero();
        let cut = cut.min(all.len());
        let (before, after) = all.split_at(cut);
        for m in before {
            model.observe(m);
        }
        let first = model.interval_now();
        for m in after {
            model.observe(m);
        }
        let second = model.interval_now();
        let summary = model.summary_now();
        for n in 0..3 {
            let id = session(n);
            let of = |s: &SessionFigures| s.name.id() == Some(&*id);
            let fresh = || all.iter().filter(|m| m.session == id && !m.poss_dup);
            let age: i128 = fresh().map(|m| i128::from(m.split.age_ns())).sum();
            let Some(s) = summary.sessions.iter().find(|s| of(s)) else {
                prop_assert!(all.iter().all(|m| m.session != id));
                continue;
            };
            let f = &s.figures;
            prop_assert_eq!(f.messages, fresh().count() as u64);
            prop_assert_eq!(Stage::ALL.iter().map(|&x| f.sums.stage(x)).sum::<i128>(), age);
            prop_assert_eq!(Part::ALL.iter().map(|&x| f.sums.part(x)).sum::<i128>(), age);
            prop_assert_eq!(f.age.map(|a| a.max_ns), fresh().map(|m| m.split.age_ns()).max());
            prop_assert_eq!(f.age.map(|a| a.min_ns), fresh().map(|m| m.split.age_ns()).min());
            let mut ages: Vec<_> = fresh().map(|m| m.split.age_ns().max(0)).collect();
            ages.sort_unstable();
            if let Some(spread) = f.age {
                let median = ages[ages.len().div_ceil(2) - 1];
                prop_assert!((spread.p50_ns.max(0) - median).abs() as f64 <= median as f64 / 1e3);
            }
            prop_assert_eq!(f.hand_offs.iter().map(|(_, c)| c).sum::<u64>(), f.messages);
            prop_assert!(f.sums_without_skew().nonzero().all(|(_, _, ns)| ns > 0));
            // The intervals are the whole, cut.
            let parts = [&first, &second].map(|i| i.sessions.iter().find(|s| of(s)));
            let cut_age: i128 = parts.iter().flatten().map(|s| s.figures.sums.total()).sum();
            let cut_resends: u64 = parts.iter().flatten().map(|s| s.figures.resends).sum();
            prop_assert_eq!(cut_age, age);
            prop_assert_eq!(cut_resends, f.resends);
        }
    }
}

#[test]
fn resends_never_enter_the_fresh_figures() {
    let mut model = Model::at_zero();
    let s = session(0);
    model.observe(&message(&s, 5, &[LOCK]));
    let mut resend = message(&s, 2, &[(Stage::InFlight, Part::Network, 600_000_000_000)]);
    resend.poss_dup = true;
    model.observe(&resend);
    let summary = model.summary_now();
    let f = &summary.sessions[0].figures;
    assert_eq!((f.messages, f.resends), (1, 1));
    assert_eq!(f.age.map(|a| a.max_ns), Some(7_000_000));
    assert_eq!(f.resend_age.map(|a| a.max_ns), Some(600_000_000_000));
    assert_eq!(f.sums.total(), 7_000_000);
    assert_eq!(summary.sessions[0].last_seq, Some(5));
}

#[test]
fn a_thousand_sessions_become_256_and_other() {
    let mut model = Model::at_zero();
    for n in 0..1000 {
        model.observe(&message(&session(n), 1, &[LOCK]));
    }
    let summary = model.summary_now();
    assert_eq!(summary.sessions.len(), 257);
    assert_eq!(summary.sessions[256].name, SessionName::Other);
    assert_eq!(summary.sessions[256].figures.messages, 744);
    assert_eq!(summary.sessions_observed, 1000);
    assert_eq!((messages(&summary), total(&summary)), (1000, 7_000_000_000));
}

#[test]
fn ended_sessions_make_room_and_nothing_is_lost() {
    let mut model = Model::at_zero();
    for n in 0..1000 {
        let s = session(n);
        model.observe(&message(&s, 1, &[LOCK]));
        model.set_lock_waits(
            &s,
            LockWaitTotals {
                lock_waits: 2,
                longest_lock_wait_ns: 9,
            },
        );
        model.end_session(&s);
    }
    let interval = model.interval_now();
    let taken: u64 = interval.sessions.iter().map(|s| s.figures.messages).sum();
    let waits: u64 = interval.sessions.iter().map(|s| s.lock_waits).sum();
    assert_eq!((taken, waits), (1000, 2000));
    let summary = model.summary_now();
    assert_eq!(summary.sessions.len(), 257);
    assert_eq!(summary.sessions[256].name, SessionName::Earlier);
    assert_eq!(summary.sessions[256].connections, 744);
    assert_eq!((messages(&summary), total(&summary)), (1000, 7_000_000_000));
    assert!(
        summary.sessions[0]
            .name
            .id()
            .is_some_and(|id| id.local.port() == 5002 + 744)
    );
}

#[test]
fn a_session_that_reconnects_inherits_under_its_labels() {
    let mut model = Model::at_zero();
    for n in 0..1000 {
        let mut id = (*session(0)).clone();
        id.remote.set_port(40_000 + n);
        let id = id.into();
        model.observe(&message(&id, 1, &[LOCK]));
        if n < 999 {
            model.end_session(&id);
        }
    }
    let summary = model.summary_now();
    assert_eq!(summary.sessions.len(), 256);
    assert_eq!(messages(&summary), 1000);
    let shown = model.sessions_with_metrics();
    assert_eq!(
        shown.iter().map(|s| s.total().messages()).sum::<u64>(),
        1000
    );
}

#[test]
fn metrics_of_an_ended_session_go_away_and_the_summary_stays() {
    let mut model = Model::at_zero();
    let (gone, open) = (session(0), session(1));
    model.observe(&message(&gone, 1, &[LOCK]));
    model.observe(&message(&open, 1, &[LOCK]));
    model.end_session(&gone);
    assert_eq!(model.sessions_with_metrics().len(), 2);
    model.set_now(Moment {
        monotonic_ns: 121_000_000_000,
        ..Moment::default()
    });
    assert_eq!(model.sessions_with_metrics().len(), 1);
    assert_eq!(model.open_sessions(), 1);
    assert_eq!(messages(&model.summary_now()), 2);
    model.observe(&message(&gone, 2, &[LOCK]));
    assert_eq!(model.sessions_with_metrics().len(), 2, "it is back");
}

#[test]
fn an_interval_is_taken_once() {
    let mut model = Model::at_zero();
    let s = session(0);
    model.observe(&message(&s, 1, &[LOCK]));
    model.exclude(&s, ExclusionReason::NoSendingTime);
    let mut facts = LockWaitTotals {
        lock_waits: 5,
        longest_lock_wait_ns: 100,
    };
    model.set_lock_waits(&s, facts);
    let first = &model.interval_now().sessions[0];
    assert_eq!((first.figures.messages, first.lock_waits), (1, 5));
    assert_eq!(first.figures.excluded.total(), 1);
    facts.lock_waits = 8;
    model.set_lock_waits(&s, facts);
    let second = &model.interval_now().sessions[0];
    assert!(second.figures.is_empty());
    assert_eq!((second.figures.age, second.lock_waits), (None, 3));
    model.end_session(&s);
    assert!(model.interval_now().sessions.is_empty());
}

#[test]
fn memory_per_session_is_bounded() {
    let mut model = Model::at_zero();
    let s = session(0);
    let mut seq = 0;
    for ns in [1, 1_000_000, 60_000_000_000, i64::MAX / 2] {
        for poss_dup in [false, true] {
            let mut m = message(&s, seq, &[(Stage::HeldBack, Part::Blocked, ns)]);
            m.poss_dup = poss_dup;
            model.observe(&m);
            seq += 1;
        }
    }
    let bytes = model.session_bytes();
    assert!(bytes <= 560 * 1024, "{bytes} bytes");
}

#[test]
fn a_run_without_end_retains_no_connection_for_ever() {
    const CONNECTIONS: u16 = 600;
    let mut model = Model::at_zero();
    model.merge_ended_sessions();
    for n in 0..CONNECTIONS {
        let id = session(n);
        model.observe(&message(&id, 1, &[LOCK]));
        model.end_session(&id);
        model.set_now(Moment {
            monotonic_ns: u64::from(n) * 10_000_000_000,
            utc_ns: 0,
        });
        model.interval_now();
        // The metrics of each stay for two minutes.
        assert!(model.session_histories().count() <= 14, "{n}");
    }
    let open = session(CONNECTIONS);
    model.observe(&message(&open, 1, &[LOCK]));
    let summary = model.summary_now();
    assert_eq!(messages(&summary), u64::from(CONNECTIONS) + 1);
    assert_eq!(summary.sessions_observed, u64::from(CONNECTIONS) + 1);
    // It is registered under its slot, wherever that is now.
    model.observe(&message(&open, 2, &[LOCK]));
    let of = |s: &&SessionFigures| s.name.id() == Some(&*open);
    let summary = model.summary_now();
    let found = summary.sessions.iter().find(of).expect("open");
    assert_eq!(found.figures.messages, 2);
}
