//! Queues with known answers.

use std::sync::Arc;

use proptest::prelude::*;

use super::{ReaderTime, Scenario, WhatIf, replay::WhatIfReplay, sentence};
use crate::{
    domain::{HandOff, Matrix, Message, Part, SessionId, Split, Stage, fixtures},
    stats::{AgeQuantiles, Ages},
};

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const BASE: i64 = 1_700_000_000_000_000_000;
const UPTIME: i64 = 4_000_000_000_000;

/// A message before it is read: its arrival, and what the reader will do for it.
#[derive(Clone, Debug)]
struct Load {
    arrives: i64,
    held_back: i64,
    work: Vec<(Part, i64)>,
}

/// A reader that takes up to `most` messages per call, after `wake`.
struct SimulatedReader {
    wake: Vec<(Part, i64)>,
    most: usize,
    /// The messages of a call are handed off one by one, as with --handoff.
    by_function: bool,
    /// Its history: from, to, part.
    did: Vec<(i64, i64, Part)>,
    now: i64,
}

impl SimulatedReader {
    fn new(wake: &[(Part, i64)], most: usize) -> Self {
        Self {
            wake: wake.to_vec(),
            most,
            by_function: false,
            did: Vec::new(),
            now: i64::MIN,
        }
    }

    fn spend(&mut self, parts: &[(Part, i64)]) {
        for &(part, ns) in parts {
            self.did.push((self.now, self.now + ns, part));
            self.now += ns;
        }
    }

    fn charge(&self, matrix: &mut Matrix, stage: Stage, from: i64, to: i64) {
        for &(began, ended, part) in self.did.iter().rev().take_while(|d| d.1 > from) {
            let within = ended.min(to) - began.max(from);
            if within > 0 {
                matrix.add(stage, part, within);
            }
        }
    }

    /// Reads everything, as the join would join it.
    fn read(mut self, loads: &[Load]) -> Vec<Message> {
        const TRANSIT: i64 = 50 * US;
        let session = fixtures::session(0);
        let mut messages = Vec::new();
        let mut next = 0;
        while next < loads.len() {
            self.now = self.now.max(loads[next].arrives);
            let wake = self.wake.clone();
            self.spend(&wake);
            let received = self.now;
            let there = loads[next..]
                .iter()
                .take(self.most)
                .take_while(|l| l.arrives <= received)
                .count();
            let batch = &loads[next..next + there];
            let mut ends = Vec::new();
            for load in batch {
                self.spend(&load.work);
                ends.push(self.now);
            }
            for (load, end) in batch.iter().zip(ends) {
                let end = if self.by_function { end } else { self.now };
                let mut matrix = Matrix::default();
                matrix.add(Stage::InFlight, Part::Network, TRANSIT);
                matrix.add(Stage::HeldBack, Part::LockWait, load.held_back);
                self.charge(&mut matrix, Stage::Queued, load.arrives, received);
                self.charge(&mut matrix, Stage::InApp, received, end);
                messages.push(joined(
                    &session,
                    messages.len() as u64,
                    load.arrives - TRANSIT - load.held_back,
                    (load.arrives, received, end),
                    matrix,
                ));
            }
            next += there;
        }
        messages
    }
}

fn joined(
    session: &Arc<SessionId>,
    seq: u64,
    sent: i64,
    (arrived, received, handed_off): (i64, i64, i64),
    matrix: Matrix,
) -> Message {
    let mut message = fixtures::message(session, seq, &[]);
    message.sent.utc_ns = BASE + sent;
    message.arrived_ns = Some(BASE + arrived);
    message.received_ns = BASE + received;
    message.handed_off_ns = BASE + handed_off;
    message.handed_off_at = (UPTIME + handed_off) as u64;
    message.split = Split::new(handed_off - sent, matrix).expect("the timeline has no holes");
    message
}

fn unknown(ns: i64) -> Matrix {
    let mut matrix = Matrix::default();
    matrix.add(Stage::InApp, Part::Unknown, ns);
    matrix
}

fn measured(messages: &[Message]) -> AgeQuantiles {
    let mut ages = Ages::<u64, 3>::default();
    for message in messages {
        ages.record(message.split.age_ns());
    }
    ages.quantiles().expect("there are messages")
}

fn replayed(messages: &[Message]) -> WhatIf {
    let mut replay = WhatIfReplay::default();
    for message in messages {
        replay.message(message);
    }
    let (total, _) = replay.total(Some(measured(messages)));
    let (interval, _) = replay.take_interval(Some(measured(messages)));
    let total = total.expect("there are messages");
    assert_eq!(Some(&total), interval.as_ref());
    total
}

fn evenly(count: i64, every: i64, work: &[(Part, i64)]) -> Vec<Load> {
    let load = |n| Load {
        arrives: n * every,
        held_back: 0,
        work: work.to_vec(),
    };
    (0..count).map(load).collect()
}

fn near(a: i64, b: i64, of: f64) -> bool {
    (a - b).abs() as f64 <= of * (a.max(b) as f64) + 2.0
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
    messages.iter().for_each(|m| replay.message(m));
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
    messages.iter().for_each(|m| replay.message(m));
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
fn scaling_is_exact() {
    let service = ReaderTime::of(&[(Part::OnCpu, 1), (Part::LockWait, 2)]);
    let scaled = service.scaled_to(100);
    assert_eq!((scaled.total(), scaled.part(Part::OnCpu)), (100, 33));
    assert_eq!(ReaderTime::default().scaled_to(7).part(Part::Unknown), 7);
    assert_eq!(service.scaled_to(0), ReaderTime::default());
}

fn waits() -> impl Strategy<Value = Vec<(Part, i64)>> {
    // Unknown time is not replayed (see above).
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn without_a_difference_the_replay_is_as_measured(
        loads in any_loads(),
        wake in waits(),
        most in 1_usize..40,
        by_function in any::<bool>(),
    ) {
        let mut reader = SimulatedReader::new(&wake, most);
        reader.by_function = by_function;
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
        most in 1_usize..40,
    ) {
        let messages = SimulatedReader::new(&wake, most).read(&loads);
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
            prop_assert!(age.p50_ns <= as_it_was.p50_ns);
            prop_assert!(age.p99_ns <= as_it_was.p99_ns);
            prop_assert!(age.max_ns <= as_it_was.max_ns);
        }
        let more = what_if.of(Scenario::MoreCpu).expect("there");
        prop_assert!(more.p99_ns <= as_it_was.p99_ns && more.max_ns <= as_it_was.max_ns);
    }

    /// Beside a reader of the same messages that never waits for the lock.
    #[test]
    fn without_the_lock_is_what_a_reader_without_a_lock_measures(
        loads in any_loads(),
        most in 1_usize..40,
    ) {
        let wake = [(Part::OnCpu, 5 * US)];
        let predicted = replayed(&SimulatedReader::new(&wake, most).read(&loads));
        let mut free = loads.clone();
        for load in &mut free {
            load.work.retain(|&(part, _)| part != Part::LockWait);
        }
        let truth = measured(&SimulatedReader::new(&wake, most).read(&free));
        let max = predicted.of(Scenario::WithoutLock).expect("there").max_ns;
        // One call's messages share its cost: off by what the calls of one reader cost at most.
        let busiest = loads.iter().map(|l| l.work.iter().map(|w| w.1).sum::<i64>()).max();
        let slack = busiest.unwrap_or(0) * most as i64 + loads.len() as i64 * 5 * US;
        prop_assert!((max - truth.max_ns).abs() <= slack, "{} for {}", max, truth.max_ns);
    }
}
