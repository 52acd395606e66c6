//! The summary.

use super::{process::container_line, *};
use crate::{
    domain::{
        Availability, Capability, Container, Part, Pod, ProbeCost, ProcessInfo, Qos, SentBetween,
        Stage,
        fixtures::{message, session as session_id},
    },
    model::Model,
};

/// The words of a text with one space between them.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_process_in_a_container_has_a_line_with_its_pid_there() {
    let mut process = ProcessInfo {
        pid: 411,
        inner_pid: 7,
        comm: "oms".to_owned(),
        ..ProcessInfo::default()
    };
    assert_eq!(container_line(&process), None);
    process.container = Some(Container {
        id: "09d185410c4e25236cc2".to_owned(),
        runtime: Some("containerd".to_owned()),
        name: None,
    });
    let line = |process: &ProcessInfo| container_line(process).expect("in a container");
    assert_eq!(
        line(&process),
        "oms is pid 7 in its container (containerd 09d185410c4e)"
    );
    process.pod = Some(Pod {
        uid: "u1".to_owned(),
        qos: Some(Qos::Burstable),
        ..Pod::default()
    });
    process.cpu_request_between = Some((90, 250));
    let text = line(&process);
    let end = ", pod u1, burstable, CPU request 0.09 to 0.25";
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
    model.health_mut().probes.push(ProbeCost {
        name: "sched_switch".to_owned(),
        runs: 100,
        run_time_ns: 9_000,
    });
    model.health_mut().capabilities.push(Capability {
        name: "arrivals".to_owned(),
        availability: Availability::Observed("sk_data_ready".to_owned()),
    });
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
fn whole_seconds_qualify_the_ages_and_what_narrows_them_too() {
    let mut model = Model::at_zero();
    let mut m = message(
        &session_id(0),
        1,
        &[(Stage::Queued, Part::LockWait, 700_000_000)],
    );
    m.sent.resolution_ns = 1_000_000_000;
    m.sent_between = Some(SentBetween {
        earliest_ns: m.sent.utc_ns + 650_000_000,
        latest_ns: m.sent.utc_ns + 690_000_000,
    });
    model.observe(&m);
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
