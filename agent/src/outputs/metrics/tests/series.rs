//! Which sessions have series: reconnects, ends, the limit.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{
    super::{MAX_SERIES, sessions_within},
    ParsedExposition, at, expose, exposed,
};
use crate::{
    domain::{
        Part, Stage, Update,
        fixtures::{message, session},
    },
    model::Model,
};

#[test]
fn a_reconnect_continues_the_series_on_either_side() {
    // An initiator: its own port is another one each time. An acceptor: its counterparty's is.
    for acceptor in [false, true] {
        // Also where the listening port is one that Linux could have given.
        for listens in [5001, 45_000] {
            let mut model = Model::at_zero();
            for n in 0..200_u16 {
                let mut id = (*session(0)).clone();
                let (ours, theirs) = if acceptor {
                    (listens, 40_000 + n)
                } else {
                    (40_000 + n, listens)
                };
                id.local.set_port(ours);
                id.remote.set_port(theirs);
                let id = Arc::new(id);
                model.observe(&message(&id, 1, &[(Stage::InApp, Part::OnCpu, 1_000)]));
                model.end_session(&id);
            }
            let (text, parsed) = exposed(model);
            let name = "tag52_messages_total";
            let labels = [("kind", "fresh"), ("sender", "VENUE")];
            assert_eq!(parsed.sum(name, &labels), 200.0, "{text}");
            // An acceptor's first connection may be taken for an initiator's.
            let most = if acceptor && listens == 45_000 { 2 } else { 1 };
            assert!(parsed.count(name, &labels) <= most, "{text}");
        }
    }
}

#[test]
fn a_thousand_sessions_stay_bounded() {
    let mut model = Model::at_zero();
    for n in 0..1000 {
        model.observe(&message(&session(n), 1, &[(Stage::InApp, Part::OnCpu, 1)]));
    }
    let (_, parsed) = exposed(model);
    assert_eq!(parsed.sum("tag52_messages_total", &[]), 1000.0);
    assert_eq!(
        parsed.sum("tag52_messages_total", &[("sender", "other")]),
        744.0
    );
    assert_eq!(parsed.sum("tag52_sessions", &[]), 257.0);
    assert_eq!(parsed.sum("tag52_sessions_folded_total", &[]), 744.0);
}

/// What a scraper sees of sessions that come, talk, end and come back.
#[derive(Clone, Copy, Debug)]
enum ScrapeStep {
    Message(u16),
    End(u16),
    Pass(u64),
    Scrape,
}

fn step() -> impl Strategy<Value = ScrapeStep> {
    prop_oneof![
        6 => (0..12_u16).prop_map(ScrapeStep::Message),
        2 => (0..12_u16).prop_map(ScrapeStep::End),
        1 => prop::sample::select(vec![1_u64, 60, 130]).prop_map(ScrapeStep::Pass),
        3 => Just(ScrapeStep::Scrape),
    ]
}

/// Counters that fell from one scrape to the next.
fn fallen(before: &ParsedExposition, after: &ParsedExposition) -> Vec<String> {
    let mut fallen = Vec::new();
    for (name, labels, value) in before.counters() {
        if after.value_of(name, labels).is_some_and(|now| now < value) {
            fallen.push(format!("{name} {labels:?} from {value}"));
        }
    }
    fallen.truncate(3);
    fallen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_counter_falls_and_the_limit_holds(
        steps in prop::collection::vec(step(), 0..80),
        room in 1..6_usize,
    ) {
        let mut model = Model::at_zero();
        model.set_max_series(room);
        let model = Arc::new(Mutex::new(model));
        let mut now = 0;
        let mut seq = 0;
        let mut observed = 0;
        let mut before: Option<ParsedExposition> = None;
        for step in steps {
            let mut of = model.lock().expect("no panic");
            match step {
                ScrapeStep::Message(n) => {
                    seq += 1;
                    observed += 1;
                    // Each port of three connections in turn.
                    let mut id = (*session(n / 3)).clone();
                    id.remote.set_port(40_000 + n);
                    let cells = [(Stage::Queued, Part::Blocked, 1_000)];
                    let message = message(&Arc::new(id), seq, &cells);
                    of.apply(at(now), &Update::Message(Box::new(message)));
                }
                ScrapeStep::End(n) => {
                    let mut id = (*session(n / 3)).clone();
                    id.remote.set_port(40_000 + n);
                    of.apply(at(now), &Update::SessionEnded(Arc::new(id)));
                }
                ScrapeStep::Pass(seconds) => {
                    now += seconds;
                    of.take_interval(at(now));
                }
                ScrapeStep::Scrape => {
                    drop(of);
                    let (_, after) = expose(&model);
                    if let Some(before) = &before {
                        prop_assert_eq!(fallen(before, &after), Vec::<String>::new());
                    }
                    let sessions = after.count("tag52_messages_total", &[("kind", "fresh")]);
                    prop_assert!(sessions <= room + 1, "{sessions} sessions, room for {room}");
                    // No message counts twice.
                    let messages = after.sum("tag52_messages_total", &[]);
                    prop_assert!(messages <= f64::from(observed), "{} of {}", messages, observed);
                    before = Some(after);
                }
            }
        }
    }
}

#[test]
fn a_churn_of_thousands_stays_flat() {
    let room = sessions_within(5_000).expect("room");
    let mut model = Model::at_zero();
    model.set_max_series(room);
    let model = Arc::new(Mutex::new(model));
    let mut before: Option<ParsedExposition> = None;
    let (mut most, mut sizes) = (0, Vec::new());
    for n in 0..4000_u32 {
        let mut of = model.lock().expect("no panic");
        let now = at(u64::from(n));
        // Twenty at a time, each of a hundred seconds, in a process of its own.
        let mut id = (*session((n % 20) as u16)).clone();
        id.pid = 1000 + n;
        let cells = [(Stage::Queued, Part::Blocked, 1_000_000 + i64::from(n))];
        of.apply(
            now,
            &Update::Message(Box::new(message(&Arc::new(id.clone()), 1, &cells))),
        );
        if let Some(pid) = (1000 + n).checked_sub(20).filter(|&pid| pid >= 1000) {
            id.pid = pid;
            id.local
                .set_port(session(((n - 20) % 20) as u16).local.port());
            of.apply(now, &Update::SessionEnded(Arc::new(id)));
            of.apply(now, &Update::ProcessEnded(pid));
        }
        if n % 100 == 99 {
            of.take_interval(now);
            drop(of);
            let (text, after) = expose(&model);
            if let Some(before) = &before {
                assert_eq!(fallen(before, &after), Vec::<String>::new());
            }
            most = most.max(after.len());
            sizes.push(text.len());
            before = Some(after);
        }
    }
    assert!(most <= 5_000, "{most} series");
    let (half, whole) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!(whole.abs_diff(half) < half / 10, "{sizes:?}");
}

#[test]
fn sessions_fold_in_the_order_in_which_they_come() {
    let mut model = Model::at_zero();
    model.set_max_series(2);
    for _ in 0..2 {
        for n in 0..4 {
            model.observe(&message(&session(n), 1, &[(Stage::InApp, Part::OnCpu, 1)]));
        }
    }
    let shown = |model: &Model| {
        let sessions = model.sessions_with_metrics();
        sessions.iter().map(|s| s.labels().3).collect::<Vec<_>>()
    };
    assert_eq!(shown(&model), [Some(5002), Some(5003), None]);
    // There is room again: for whoever comes, not for those who are folded.
    model.end_session(&session(0));
    model.set_now(at(121));
    model.observe(&message(&session(2), 2, &[(Stage::InApp, Part::OnCpu, 1)]));
    assert_eq!(shown(&model), [Some(5003), None]);
    model.observe(&message(&session(9), 2, &[(Stage::InApp, Part::OnCpu, 1)]));
    assert_eq!(shown(&model), [Some(5003), Some(5011), None]);
    assert_eq!(model.sessions_without_series(), 2);
    let (_, parsed) = exposed(model);
    let other = parsed.sum("tag52_messages_total", &[("sender", "other")]);
    assert_eq!(other, 5.0);
}

#[test]
fn a_limit_without_room_says_how_much_it_takes() {
    let least = sessions_within(10).expect_err("no room");
    assert_eq!(sessions_within(least), Ok(1));
    assert!(sessions_within(MAX_SERIES).is_ok_and(|sessions| sessions >= 64));
}
