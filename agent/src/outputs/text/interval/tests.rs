//! The lines of an interval.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    domain::{
        Part, Pod, Stage, TapCounts, Update,
        fixtures::{message, session as session_id},
    },
    model::Model,
    outputs::fixtures::{narrowed, one_second, process_in_pod},
};

/// The lines of the model's latest second, without colours.
fn plain_lines(model: &mut Model) -> String {
    interval_lines(&one_second(model), TextStyle::Plain)
}

#[test]
fn a_session_line_names_the_pod() {
    let mut model = Model::at_zero();
    let s = session_id(0);
    model.observe(&message(&s, 1, &[]));
    let mut process = process_in_pod();
    process.container = None;
    process.pod = process.pod.map(|pod| Pod {
        name: Some("oms-0\u{1b}[2J".to_owned()),
        ..pod
    });
    model.apply(model.now(), &Update::Process(Box::new(process)));
    let text = plain_lines(&mut model);
    let begin = "VENUE>DROP :5002 411/412 trading/oms-0";
    assert!(text.starts_with(begin), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_line_has_ages_parts_and_the_verdict() {
    let mut model = Model::at_zero();
    let s = session_id(0);
    for seq in 0..600 {
        model.observe(&message(
            &s,
            seq,
            &[
                (Stage::InFlight, Part::Network, 100_000),
                (Stage::HeldBack, Part::LockWait, 1_000_000),
                (Stage::Queued, Part::LockWait, 8_700_000),
                (Stage::InApp, Part::OnCpu, 200_000),
            ],
        ));
    }
    let line = plain_lines(&mut model);
    assert_eq!(
        line,
        "VENUE>DROP :5002 411/412  600 msg/s  age p50 10.0ms p99 10.0ms max 10.0ms | \
         lock-wait 97.0% on-cpu 2.0% network 1.0% | held-back 10.0% | unknown 0\n    \
         starved-by-lock: the ingest thread waits for a lock (97.0% of the age); the holder is not known.\n"
    );
    assert!(line.lines().all(|line| line.len() <= 160));
    assert_eq!(
        plain_lines(&mut model),
        "VENUE>DROP :5002 411/412  0 msg/s  no fresh messages\n"
    );
}

#[test]
fn the_verdict_has_a_line_of_its_own_unless_healthy() {
    let text = |age: i64| {
        let mut model = Model::at_zero();
        model.observe(&message(
            &session_id(0),
            1,
            &[(Stage::Queued, Part::Blocked, age)],
        ));
        plain_lines(&mut model)
    };
    assert_eq!(text(1_000_000).lines().count(), 1);
    let late = text(121_000_000_000);
    assert!(late.contains("\n    slow-sink: "), "{late}");
    assert!(late.ends_with(" MaxLatency is exceeded.\n"), "{late}");
    let left = time_to_max_latency(Duration::from_secs(90));
    assert_eq!(left, "MaxLatency in 1m30s.");
}

#[test]
fn a_pending_acknowledgement_shows_where_it_matters() {
    let line = |network, pending| {
        let mut model = Model::at_zero();
        let mut m = message(
            &session_id(0),
            1,
            &[
                (Stage::InFlight, Part::Network, network),
                (Stage::InApp, Part::OnCpu, 1_000_000),
            ],
        );
        m.ack_pending_ns = pending;
        model.observe(&m);
        plain_lines(&mut model)
    };
    let text = line(39_000_000, 31_200_000);
    assert!(text.contains("network 97.5% on-cpu 2.5% (our ACK pending 80.0% of network) | h"));
    for (network, pending) in [(39_000_000, 3_800_000), (9_000, 9_000), (-5_000, 0), (0, 0)] {
        let text = line(network, pending);
        assert!(!text.contains("ACK"), "{text}");
    }
}

#[test]
fn notes_qualify_the_figures() {
    let mut model = Model::at_zero();
    let s = session_id(0);
    let mut m = message(&s, 1, &[(Stage::InFlight, Part::Network, -5_000_000)]);
    m.sent.resolution_ns = 1_000_000_000;
    model.observe(&m);
    m.poss_dup = true;
    model.observe(&m);
    model.tap(
        &s,
        TapCounts {
            lost_bytes: 2048,
            ..TapCounts::default()
        },
    );
    model.health_mut().lose("ring_full", 7);
    let text = plain_lines(&mut model);
    assert!(text.contains("[\u{b1}1s] [skew 5.00ms] [resends 1] [lost 2.0 KiB]\n"));
    assert!(text.contains("tag52: 7 events lost: "));
}

#[test]
fn narrowed_bounds_of_whole_seconds_are_noted() {
    let mut model = Model::at_zero();
    let cells = [(Stage::Queued, Part::LockWait, 700_000_000)];
    let mut m = narrowed(message(&session_id(0), 1, &cells), [650, 690]);
    model.observe(&m);
    let text = plain_lines(&mut model);
    let note = "[\u{b1}1s, narrowed: mean age 10.0ms to 50.0ms]";
    assert!(text.contains(note), "{text}");
    model.observe(&m);
    m.sent_between = None;
    model.observe(&m);
    let text = plain_lines(&mut model);
    let note = "[\u{b1}1s, narrowed for 50.0%: mean age 10.0ms to 50.0ms]";
    assert!(text.contains(note), "{text}");
}

#[test]
fn plain_text_has_no_control_sequences() {
    let mut model = Model::at_zero();
    let mut id = (*session_id(0)).clone();
    id.sender = "EVIL\x1b]0;x\x07".to_owned();
    let id = Arc::new(id);
    model.observe(&message(&id, 1, &[(Stage::Queued, Part::LockWait, 5)]));
    let taken = one_second(&mut model);
    let plain = interval_lines(&taken, TextStyle::Plain);
    assert!(
        plain.chars().all(|c| c == '\n' || !c.is_control()),
        "{plain:?}"
    );
    let coloured = interval_lines(&taken, TextStyle::Colour);
    assert!(coloured.contains("\x1b[1;31mlock-wait 100%\x1b[0m"));
    assert!(!coloured.contains("\x1b]"));
}

#[test]
fn many_idle_sessions_are_counted() {
    let mut model = Model::at_zero();
    for n in 0..9 {
        model.observe(&message(&session_id(n), 1, &[]));
    }
    model.interval_now();
    model.observe(&message(&session_id(3), 2, &[]));
    let text = plain_lines(&mut model);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.ends_with("8 sessions without messages\n"));
}
