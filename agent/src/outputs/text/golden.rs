//! Golden files of the lines for people: `snapshots/`.

use std::sync::Arc;

use super::{TextStyle, interval_lines, summary};
use crate::{
    domain::{
        CallObject, Culprit, CulpritId, DiscoveryCounts, ExclusionReason, HandOff, Lock, Message,
        OwnerEvidence, Part, Stage, ThreadName, Update, WindowClosures,
        fixtures::{message, session, waiting},
    },
    model::Model,
    outputs::fixtures::{
        FAULTY_STREAM, at, incident, incident_samples, incident_second, narrowed, observed,
        one_second, process_in_pod, stalled, steady_second, switch_cost, unavailable,
    },
};

const MS: i64 = 1_000_000;

/// A network of 0.3 ms and 0.1 ms of work.
const QUICK: [(Stage, Part, i64); 2] = [
    (Stage::InFlight, Part::Network, 300_000),
    (Stage::InApp, Part::OnCpu, 100_000),
];

/// The lines of the first second of a model.
fn first_second(fill: impl FnOnce(&mut Model)) -> String {
    let mut model = Model::at_zero();
    fill(&mut model);
    interval_lines(&one_second(&mut model), TextStyle::Plain)
}

/// Two messages stamped in whole seconds, the first one with narrowed bounds, a resend, an
/// excluded message and stream faults; then the session ends.
fn qualified_session(model: &mut Model, narrowed: Message) {
    let s = session(0);
    let mut m = narrowed;
    model.observe(&m);
    m.sent_between = None;
    m.hand_off = HandOff::Receive;
    model.observe(&m);
    m.poss_dup = true;
    model.observe(&m);
    model.exclude(&s, ExclusionReason::NoSendingTime);
    model.tap(&s, FAULTY_STREAM);
    model.end_session(&s);
}

#[test]
fn interval_of_a_healthy_session() {
    insta::assert_snapshot!(first_second(|model| {
        steady_second(model, &session(0), 600, &QUICK);
    }));
}

#[test]
fn interval_of_a_lock_wait_with_a_backlog() {
    let mut model = incident();
    incident_second(&mut model, 13);
    incident_samples(&mut model);
    let interval = model.take_interval(at(13));
    insta::assert_snapshot!(interval_lines(&interval, TextStyle::Plain));
}

#[test]
fn interval_of_a_session_that_is_out_of_cpu_quota_and_past_max_latency() {
    insta::assert_snapshot!(first_second(|model| {
        let cells = [
            (Stage::InFlight, Part::Network, 300_000),
            (Stage::HeldBack, Part::Throttle, 90_000 * MS),
            (Stage::Queued, Part::Throttle, 31_000 * MS),
            (Stage::InApp, Part::OnCpu, 2 * MS),
        ];
        steady_second(model, &session(0), 12, &cells);
    }));
}

#[test]
fn interval_with_losses_and_anomalies() {
    insta::assert_snapshot!(first_second(|model| {
        let cells = [
            (Stage::InFlight, Part::Network, 300_000),
            (Stage::Queued, Part::Unknown, 4 * MS),
        ];
        steady_second(model, &session(0), 20, &cells);
        model.health_mut().lose("ring_full", 12);
        model.health_mut().anomaly("switch_rebuilt", 1);
    }));
}

#[test]
fn interval_with_whole_second_stamps_resends_and_an_ended_session() {
    insta::assert_snapshot!(first_second(|model| {
        let cells = [(Stage::Queued, Part::LockWait, 700 * MS)];
        let m = message(&session(0), 1, &cells);
        qualified_session(model, narrowed(m, [650, 690]));
    }));
}

#[test]
fn interval_with_a_venue_clock_ahead_and_late_acks() {
    insta::assert_snapshot!(first_second(|model| {
        model.observe(&message(
            &session(0),
            1,
            &[(Stage::InFlight, Part::Network, -5 * MS)],
        ));
        let mut late = message(&session(1), 1, &[(Stage::InFlight, Part::Network, 40 * MS)]);
        late.ack_pending_ns = 32_000_000;
        model.observe(&late);
    }));
}

/// The lines of a second in which the session waits for `culprit` and hands nothing off.
fn stalled_second(state: Part, culprit: Culprit, owner: OwnerEvidence) -> String {
    let mut model = Model::at_zero();
    let id = CulpritId(1);
    model.apply(at(10), &Update::Culprit(id, Arc::new(culprit)));
    let mut now = waiting(10_000_000_000, 9_300_000_000, state);
    if let Some(reader) = &mut now.reader {
        reader.culprit = Some(id);
        reader.owner = owner;
        if owner == OwnerEvidence::Lock {
            reader.deadlock = vec![thread(415, "orders"), thread(416, "risk")];
        }
    }
    model.apply(at(10), &Update::Waiting(session(0), Box::new(now)));
    let interval = model.take_interval(at(10));
    interval_lines(&interval, TextStyle::Plain)
}

fn thread(tid: u32, comm: &str) -> ThreadName {
    ThreadName {
        tid,
        pid: 411,
        comm: comm.to_owned(),
    }
}

#[test]
fn interval_of_a_stalled_session() {
    let culprit = Culprit::Call {
        name: "recvfrom".to_owned(),
        object: CallObject::Socket {
            peer: "10.0.0.7:5432".to_owned(),
        },
    };
    insta::assert_snapshot!(stalled_second(Part::Blocked, culprit, OwnerEvidence::None));
}

#[test]
fn interval_of_a_session_behind_a_lock_that_was_released_last_by_somebody() {
    let culprit = Culprit::Holder {
        lock: Lock::Gil,
        thread: thread(413, "processor"),
    };
    insta::assert_snapshot!(stalled_second(
        Part::LockWait,
        culprit,
        OwnerEvidence::LastRelease
    ));
}

#[test]
fn interval_of_a_deadlock() {
    let culprit = Culprit::Holder {
        lock: Lock::Futex {
            address: 0x7f00_1000,
        },
        thread: thread(415, "orders"),
    };
    insta::assert_snapshot!(stalled_second(Part::LockWait, culprit, OwnerEvidence::Lock));
}

#[test]
fn interval_of_a_session_that_is_behind_and_hands_off() {
    insta::assert_snapshot!(first_second(|model| {
        let cells = [(Stage::Queued, Part::OnCpu, 1_200 * MS)];
        steady_second(model, &session(0), 20, &cells);
        let mut now = waiting(1_000_000_000, 900_000_000, Part::OnCpu);
        now.last_hand_off_ns = Some(990_000_000);
        model.apply(at(1), &Update::Waiting(session(0), Box::new(now)));
    }));
}

#[test]
fn interval_of_many_sessions() {
    insta::assert_snapshot!(first_second(|model| {
        for n in 0..9 {
            steady_second(model, &session(n), 1, &QUICK);
        }
        model.take_interval(at(0));
        steady_second(model, &session(3), 45, &QUICK);
        steady_second(model, &session(7), 4_500, &QUICK);
    }));
}

#[test]
fn summary_of_the_incident_in_a_pod() {
    let mut model = incident();
    incident_samples(&mut model);
    model.apply(at(12), &Update::Process(Box::new(process_in_pod())));
    let closed = WindowClosures {
        closed: 3,
        longest_ns: 4_000_000_000,
        parts: [0, 0, 0, 0, 5_500_000_000, 500_000_000, 0],
    };
    model.apply(at(12), &Update::Window(session(0), closed));
    let health = model.health_mut();
    health.capabilities = vec![
        observed("arrivals", "tcp_rcv_established"),
        unavailable("throttle", "the kernel has no throttle_cfs_rq"),
    ];
    health.probes.push(switch_cost(1_200_345, 66_000_000));
    let text = summary(&model.summary(at(12)), "pid 411", TextStyle::Plain);
    insta::assert_snapshot!(text);
}

#[test]
fn summary_of_a_run_with_everything_that_qualifies_figures() {
    let mut model = Model::at_zero();
    let s = session(0);
    let skewed = [(Stage::InFlight, Part::Network, -5 * MS)];
    model.observe(&message(&s, 1, &skewed));
    let cells = [
        (Stage::InFlight, Part::Network, 20 * MS),
        (Stage::Queued, Part::Blocked, 700 * MS),
    ];
    let mut m = message(&s, 4, &cells);
    m.ack_pending_ns = 15_000_000;
    qualified_session(&mut model, narrowed(m, [650, 690]));
    let health = model.health_mut();
    health.lose("ring_full", 2);
    health.anomaly("switch_rebuilt", 12);
    health.ring_high_water_bytes = 3 << 20;
    health.discovery = Some(DiscoveryCounts {
        fix: 3,
        other: 17,
        not_selected: 1,
    });
    let text = summary(
        &model.summary(at(60)),
        "every process that reads FIX",
        TextStyle::Plain,
    );
    insta::assert_snapshot!(text);
}

#[test]
fn summary_of_a_run_that_ends_in_a_stall_and_of_a_session_that_was_reset() {
    let mut model = stalled();
    let cells = [(Stage::InApp, Part::Blocked, 9_000 * MS)];
    for seq in 600..613 {
        let mut m = message(&session(2), seq, &cells);
        m.hand_off = HandOff::Never;
        model.apply(at(12), &Update::Message(Box::new(m)));
    }
    model.end_session(&session(2));
    let text = summary(&model.summary(at(12)), "pid 411", TextStyle::Plain);
    insta::assert_snapshot!(text);
}

#[test]
fn summary_of_a_run_without_sessions() {
    let text = summary(
        &Model::at_zero().summary(at(5)),
        "pids 7 and 8",
        TextStyle::Plain,
    );
    insta::assert_snapshot!(text);
}

#[test]
fn summary_of_more_sessions_than_it_describes() {
    let mut model = Model::at_zero();
    for n in 0..18 {
        let wait = [(Stage::Queued, Part::RunQueue, i64::from(n) * MS)];
        model.observe(&message(&session(n), 1, &wait));
    }
    let text = summary(&model.summary(at(60)), "pid 411", TextStyle::Plain);
    let labels: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("VENUE") || line.starts_with("and "))
        .collect();
    insta::assert_snapshot!(labels.join("\n"));
}
