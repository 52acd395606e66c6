//! Queues with known answers.

use super::{Load, MS, SimulatedReader, US, evenly, measured, near, replayed};
use crate::{
    domain::{HandOff, Matrix, Part, Split, Stage},
    stats::AgeQuantiles,
    what_if::{ReaderTime, Scenario, WhatIf, ages::ScenarioAges, replay::WhatIfReplay, sentence},
};

const SECOND: i64 = 1_000_000_000;

fn unknown(ns: i64) -> Matrix {
    let mut matrix = Matrix::default();
    matrix.add(Stage::InApp, Part::Unknown, ns);
    matrix
}

#[test]
fn an_overload_without_its_lock_leaves_the_work() {
    // 1.4 ms of service each millisecond: after 1000 messages 400 ms behind.
    let loads = evenly(1000, MS, &[(Part::LockWait, MS), (Part::OnCpu, 400 * US)]);
    let what_if = replayed(&SimulatedReader::new(&[], 1).read(&loads));
    assert!(near(what_if.measured.max_ns, 400 * MS, 0.01));
    let age = |s| *what_if.of(s).expect("every scenario is there");
    assert!(near(
        age(Scenario::AsItWas).p99_ns,
        what_if.measured.p99_ns,
        0.011
    ));
    let without = age(Scenario::WithoutLock);
    assert_eq!((without.min_ns, without.max_ns), (450 * US, 450 * US));
    // Half the CPU time is not enough: 1.2 ms each millisecond.
    assert!(near(age(Scenario::FasterHandler).max_ns, 200 * MS, 0.02));
    assert_eq!(age(Scenario::MoreCpu), age(Scenario::AsItWas));
    assert_eq!(
        sentence(&what_if, true),
        "without the GIL wait p99 450us instead of 397ms; with a handler twice as fast p99 199ms; \
         with more CPU no change"
    );
}

#[test]
fn a_stall_before_the_read_counts_once() {
    // Each read is throttled for 80 ms, in which 80 messages come: their number is not what costs.
    let loads = evenly(2000, MS, &[(Part::OnCpu, 10 * US)]);
    let wake = [(Part::Throttle, 80 * MS), (Part::OnCpu, 5 * US)];
    let what_if = replayed(&SimulatedReader::new(&wake, 1000).read(&loads));
    let age = |s| what_if.of(s).expect("every scenario is there").p99_ns;
    assert!(what_if.measured.p99_ns > 79 * MS);
    assert!(near(age(Scenario::AsItWas), what_if.measured.p99_ns, 0.011));
    assert!(near(
        age(Scenario::WithoutLock),
        what_if.measured.p99_ns,
        0.011
    ));
    assert!(age(Scenario::WithoutThrottle) < 200 * US);
    assert_eq!(age(Scenario::MoreCpu), age(Scenario::WithoutThrottle));
}

#[test]
fn held_back_messages_arrive_as_the_network_would_have_delivered_them() {
    // From message 10 on a closed window keeps each 20 ms longer, and the reader sleeps meanwhile.
    let mut loads = evenly(
        500,
        MS,
        &[(Part::OnCpu, 100 * US), (Part::LockWait, 2 * MS)],
    );
    for load in &mut loads[10..] {
        load.held_back = 20 * MS;
        load.arrives += 20 * MS;
    }
    let what_if = replayed(&SimulatedReader::new(&[], 1).read(&loads));
    let without = what_if.of(Scenario::WithoutLock).expect("there");
    assert!(without.max_ns < MS, "{without:?}");
}

#[test]
fn a_message_that_waited_for_our_ack_arrives_earlier_only_if_the_reader_was_behind() {
    // In bursts of two, the second 300 us longer under way for want of an acknowledgement.
    let run = |lock: i64| {
        let mut loads = evenly(
            200,
            2 * MS,
            &[(Part::OnCpu, 100 * US), (Part::LockWait, lock)],
        );
        for load in loads.iter_mut().skip(1).step_by(2) {
            load.arrives -= 1_500 * US;
        }
        let mut messages = SimulatedReader::new(&[], 1).read(&loads);
        for message in messages.iter_mut().skip(1).step_by(2) {
            message.ack_pending_ns = 300 * US as u64;
            let mut matrix = *message.split.matrix();
            matrix.add(Stage::InFlight, Part::Network, 300 * US);
            message.split = Split::new(matrix.total(), matrix).expect("it is the sum");
        }
        let what_if = replayed(&messages);
        what_if.of(Scenario::WithoutLock).expect("there").max_ns
    };
    // Under way for 350 us and worked on for 100.
    assert_eq!(run(0), 450 * US);
    // Sent 200 us after the first one and there 50 us later: nothing is in its way.
    assert_eq!(run(800 * US), 150 * US);
}

#[test]
fn changes_of_utc_have_no_effect() {
    // Slewed between the arrivals of one call's messages, and set back once.
    let loads = evenly(100, MS / 10, &[(Part::OnCpu, 200 * US)]);
    let messages = SimulatedReader::new(&[], 40).read(&loads);
    let expected = replayed(&messages);
    let mut moved = messages;
    for (n, message) in moved.iter_mut().enumerate() {
        let by = if n < 50 { n as i64 } else { -2_000 * MS };
        message.sent.utc_ns += by;
        message.received_ns += by;
        message.handed_off_ns += by;
        message.arrived_ns = message.arrived_ns.map(|ns| ns + by);
    }
    assert_eq!(replayed(&moved), expected);
}

#[test]
fn the_aftermath_of_a_wait_is_removed_with_it() {
    let work = [
        (Part::LockWait, 400 * US),
        (Part::RunQueue, 800 * US),
        (Part::OnCpu, 100 * US),
    ];
    let mut messages = SimulatedReader::new(&[], 1).read(&evenly(1000, MS, &work));
    for message in &mut messages {
        message.aftermath.in_app.lock_wait_ns = 600 * US as u64;
        let queued = message.split.matrix().get(Stage::Queued, Part::RunQueue);
        message.aftermath.queued.lock_wait_ns = (queued * 3 / 4) as u64;
    }
    let what_if = replayed(&messages);
    let age = |s| what_if.of(s).expect("every scenario is there");
    // 200 us on the run queue for its own sake, 100 us of work and 50 us under way.
    assert!(near(age(Scenario::WithoutLock).max_ns, 350 * US, 0.02));
    assert!(near(age(Scenario::WithoutRunQueue).max_ns, 550 * US, 0.02));
    assert_eq!(age(Scenario::WithoutBlocked), age(Scenario::AsItWas));
    // More aftermath than there is of the part is cut.
    let mut aftermath = messages[0].aftermath.in_app;
    aftermath.blocked_ns = u64::MAX;
    let service = ReaderTime::of_stage(messages[0].split.matrix(), Stage::InApp, &aftermath);
    assert_eq!(service.part(Part::RunQueue), 800 * US);
    assert_eq!(service.total(), 1300 * US);
    // Between its sleeps it tried again.
    aftermath.lock_retry_ns = 60 * US as u64;
    let service = ReaderTime::of_stage(messages[0].split.matrix(), Stage::InApp, &aftermath);
    assert_eq!(service.part(Part::OnCpu), 100 * US);
    assert_eq!(service.aftermath(Part::LockWait), 660 * US);
}

#[test]
fn messages_without_an_observed_hand_off_are_ignored() {
    let work = [(Part::LockWait, 800 * US), (Part::OnCpu, 100 * US)];
    let mut messages = SimulatedReader::new(&[], 1).read(&evenly(100, MS, &work));
    let expected = replayed(&messages);
    let mut cut_off = messages[99].clone();
    cut_off.hand_off = HandOff::Unobserved;
    cut_off.split = Split::new(SECOND, unknown(SECOND)).expect("it is the sum");
    messages.push(cut_off);
    let mut replay = WhatIfReplay::default();
    for m in &messages {
        replay.message(m);
    }
    let (what_if, _) = replay.total(Some(expected.measured));
    assert_eq!(what_if, Some(expected));
}

#[test]
fn a_backlog_from_before_attach_is_nobodys_work() {
    let work = [(Part::LockWait, 100 * US), (Part::OnCpu, 100 * US)];
    let mut messages = SimulatedReader::new(&[], 1).read(&evenly(100, MS, &work));
    // The first ones had waited for two seconds already.
    for message in &mut messages[..10] {
        let mut matrix = *message.split.matrix();
        matrix.add(Stage::Queued, Part::Unknown, 2 * SECOND);
        message.split = Split::new(matrix.total(), matrix).expect("it is the sum");
    }
    let what_if = replayed(&messages);
    for ages in &what_if.scenarios {
        assert!(ages.age.max_ns < MS, "{ages:?}");
    }
}

#[test]
fn resends_take_time_and_do_not_count() {
    let loads = evenly(
        100,
        MS,
        &[(Part::OnCpu, 100 * US), (Part::LockWait, 800 * US)],
    );
    let mut messages = SimulatedReader::new(&[], 1).read(&loads);
    for message in messages.iter_mut().step_by(2) {
        message.poss_dup = true;
    }
    let mut replay = WhatIfReplay::default();
    for m in &messages {
        replay.message(m);
    }
    let (_, spent) = replay.total(None);
    assert_eq!(spent.part(Part::OnCpu), 100 * 100 * US);
    let (what_if, _) = replay.take_interval(Some(measured(&messages)));
    assert_eq!(
        what_if
            .expect("there")
            .of(Scenario::AsItWas)
            .expect("there")
            .max_ns,
        950 * US
    );
}

#[test]
fn a_reader_that_reads_ahead_does_one_thing_at_a_time() {
    // Every 10 ms two messages come. The reader takes them with a call each and handles them then:
    // the second one is in the application while the first one is handled.
    let pair = |n: i64| {
        let load = Load {
            arrives: n * 10 * MS,
            held_back: 0,
            work: vec![(Part::OnCpu, MS), (Part::LockWait, MS)],
        };
        [load.clone(), load]
    };
    let loads: Vec<Load> = (0..100).flat_map(pair).collect();
    let mut reader = SimulatedReader::new(&[(Part::OnCpu, 10 * US)], 1);
    (reader.by_function, reader.calls) = (true, 2);
    let messages = reader.read(&loads);
    assert_eq!(measured(&messages).max_ns, 4_070 * US);
    let what_if = replayed(&messages);
    let age = |s| what_if.of(s).expect("every scenario is there");
    assert_eq!(age(Scenario::AsItWas).max_ns, 4_070 * US);
    assert_eq!(age(Scenario::WithoutLock).min_ns, 1_070 * US);
    assert_eq!(age(Scenario::WithoutLock).max_ns, 2_070 * US);
    let mut replay = WhatIfReplay::default();
    for m in &messages {
        replay.message(m);
    }
    let (_, spent) = replay.total(None);
    assert_eq!(spent.part(Part::OnCpu), 200 * 1_010 * US);
}

#[test]
fn an_inaccurate_replay_is_compared_with_itself() {
    let ages = |p99_ns| AgeQuantiles {
        p50_ns: p99_ns / 2,
        p90_ns: p99_ns,
        p99_ns,
        p999_ns: p99_ns,
        min_ns: 0,
        max_ns: p99_ns,
    };
    let what_if = |replayed: i64| WhatIf {
        measured: ages(12 * SECOND),
        scenarios: Scenario::ALL
            .map(|scenario| ScenarioAges {
                scenario,
                age: match scenario {
                    Scenario::FasterHandler => ages(replayed / 2),
                    _ => ages(replayed),
                },
            })
            .into(),
    };
    assert_eq!(
        sentence(&what_if(12 * SECOND), false),
        "with a handler twice as fast p99 6.00s instead of 12.0s; with more CPU no change"
    );
    assert_eq!(
        sentence(&what_if(60 * SECOND), false),
        "with a handler twice as fast p99 30.0s instead of 1m00s; with more CPU no change; the \
         replay is inaccurate here: with no difference at all it gives p99 1m00s, and 12.0s was \
         measured"
    );
}

#[test]
fn scaling_is_exact() {
    let service = ReaderTime::of(&[(Part::OnCpu, 1), (Part::LockWait, 2)]);
    let scaled = service.scaled_to(100);
    assert_eq!((scaled.total(), scaled.part(Part::OnCpu)), (100, 33));
    assert_eq!(ReaderTime::default().scaled_to(7).part(Part::Unknown), 7);
    assert_eq!(service.scaled_to(0), ReaderTime::default());
}
