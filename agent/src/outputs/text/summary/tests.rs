//! The summary.

use super::{process::container_line, *};
use crate::{
    domain::{
        Container, HandOff, Part, Pod, ProcessInfo, Stage, Update,
        fixtures::{message, session as session_id, waiting},
    },
    model::Model,
    outputs::fixtures::{at, narrowed, observed, process_in_pod, switch_cost},
};

/// The words of a text with one space between them.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_process_in_a_container_has_a_line_with_its_pid_there() {
    let in_pod = process_in_pod();
    let mut process = ProcessInfo {
        container: None,
        pod: None,
        cpu_request_millis: None,
        cpu_limit_millis: None,
        ..in_pod.clone()
    };
    assert_eq!(container_line(&process), None);
    process.container = in_pod.container.map(|container| Container {
        name: None,
        ..container
    });
    let line = |process: &ProcessInfo| container_line(process).expect("in a container");
    assert_eq!(
        line(&process),
        "oms is pid 7 in its container (containerd 09d185410c4e)"
    );
    process.pod = in_pod.pod.map(|pod| Pod {
        namespace: None,
        name: None,
        ..pod
    });
    process.cpu_request_between = Some((90, 250));
    let text = line(&process);
    let end = ", pod 03f3f104-9d5a, burstable, CPU request 0.09 to 0.25";
    assert!(text.ends_with(end), "{text}");
    process.cpu_request_millis = Some(250);
    process.cpu_limit_millis = Some(2000);
    let text = line(&process);
    assert!(text.ends_with("CPU request 0.25, CPU limit 2"), "{text}");
}

#[test]
fn the_summary_names_the_part() {
    let mut model = Model::at_zero();
    let s = session_id(0);
    for seq in 0..100 {
        model.observe(&message(
            &s,
            seq,
            &[
                (Stage::InFlight, Part::Network, 900_000_000),
                (Stage::HeldBack, Part::LockWait, 10_000_000),
                (Stage::Queued, Part::LockWait, 80_000_000),
                (Stage::InApp, Part::OnCpu, 10_000_000),
            ],
        ));
    }
    model.health_mut().lose("ring_full", 2);
    let health = model.health_mut();
    health.probes.push(switch_cost(100, 9_000));
    health
        .capabilities
        .push(observed("arrivals", "sk_data_ready"));
    let text = summary(&model.summary_now(), "pid 411", TextStyle::Plain);
    println!("{text}");
    assert!(one_line(&text).contains(
        "90.0% of the age outside the network (9.00s of 10.0s) was lock-wait: the ingest \
         thread slept, waiting for a lock that another thread held. 10.0% of it passed at the \
         sender"
    ));
    assert!(text.contains("lost events: ring-full 2"));
    assert!(text.contains("\n  Verdict: network-or-venue-late: messages arrive 900ms old"));
    assert!(text.contains("\n  What if: "), "{text}");
    assert!(text.contains("\nWhat-if replays the queue of the messages that were read"));
    assert!(text.contains("90ns each"));
    assert!(text.lines().all(|l| l.chars().count() <= 130));
}

#[test]
fn messages_that_were_never_handed_off_are_counted_apart() {
    let mut model = Model::at_zero();
    let cells = [(Stage::InApp, Part::Blocked, 9_000_000_000)];
    let mut m = message(&session_id(0), 1, &cells);
    model.observe(&m);
    m.hand_off = HandOff::Never;
    model.observe(&m);
    model.observe(&m);
    let text = summary(&model.summary_now(), "pid 411", TextStyle::Plain);
    assert!(one_line(&text).contains("hand-offs: wait 1; 2 messages never handed off"));
}

#[test]
fn a_stalled_session_is_among_those_that_are_described() {
    let mut model = Model::at_zero();
    for n in 0..18 {
        let wait = [(Stage::Queued, Part::RunQueue, i64::from(n) * 1_000_000)];
        model.observe(&message(&session_id(n), 1, &wait));
    }
    let now = waiting(10_000_000_000, 9_000_000_000, Part::Blocked);
    let stalled = Update::Waiting(session_id(0), Box::new(now));
    model.apply(at(10), &stalled);
    let text = summary(&model.summary(at(10)), "pid 411", TextStyle::Plain);
    assert!(
        text.contains("\n  at the end: STALLED 9.00s  13 in hand"),
        "{text}"
    );
}

#[test]
fn whole_seconds_qualify_the_ages_and_what_narrows_them_too() {
    let mut model = Model::at_zero();
    let cells = [(Stage::Queued, Part::LockWait, 700_000_000)];
    let m = message(&session_id(0), 1, &cells);
    model.observe(&narrowed(m, [650, 690]));
    let text = summary(&model.summary_now(), "pid 411", TextStyle::Plain);
    assert!(one_line(&text).contains("tag 52 has a resolution of 1.00s: ages are upper bounds"));
    assert!(one_line(&text).contains(
        "the order of the venue's sends narrows that to 40.0ms or less for 1 message, with a mean age \
         of 10.0ms to 50.0ms"
    ));
}

#[test]
fn a_run_without_sessions_or_waits_says_so() {
    let text = summary(
        &Model::at_zero().summary_now(),
        "pids 7 and 8",
        TextStyle::Plain,
    );
    assert!(text.contains("pids 7 and 8 watched for"));
    assert!(text.contains("0 sessions"));
    assert!(text.contains("no events lost"));
    let mut model = Model::at_zero();
    model.observe(&message(&session_id(0), 1, &[]));
    let text = summary(&model.summary_now(), "pid 411", TextStyle::Plain);
    assert!(text.contains("No time was spent outside of the network."));
}
