//! What waits now, while a handler hangs and the venue goes on sending.

use std::time::{Duration, Instant};

use lab::agent::{AgentProcess, WaitingLine};
use lab::database::Database;
use lab::victim::VictimRecord;
use lab::{clock, process};
use live::{Bench, BenchTruth, END_LIMIT, attached, exact, one_at_a_time, watch};
use nix::sys::signal::Signal;

/// ExecutionReports per second.
const RATE: f64 = 200.0;

/// How long it takes until a hang is certainly a stall: half a second, and a sample.
const STALLED_AFTER_NS: i64 = 800_000_000;

/// How far the waiting age may be from the venue's own account: two readings of two clocks.
const AGE_SLACK_NS: i64 = 5_000_000;

/// A victim that hangs in the handler of its 41st message, or from there on for some messages.
fn hanging(messages: u64, count: &str, inject: &[&str]) -> Bench {
    let from = ["--inject-from", "40", "--inject-count", count];
    Bench::start(RATE, messages, &[&from, inject].concat())
}

/// An agent with a line for each tenth of a second, and the venue's stream has begun.
fn watch_waiting(bench: &Bench, more: &[&str]) -> AgentProcess {
    let pid = bench.victim.pid().to_string();
    let lines = ["--pid", &pid, "--json", "intervals", "--interval", "100ms"];
    let agent = attached([&lines, more].concat());
    bench.venue.open_gate();
    agent
}

/// What waited by each sample so far.
fn samples(agent: &AgentProcess) -> Vec<WaitingLine> {
    let mut samples: Vec<WaitingLine> = agent.waiting().into_iter().flatten().collect();
    samples.dedup_by_key(|sample| sample.at_ns);
    samples
}

/// Waits for a sample like that.
fn wait_for(agent: &AgentProcess, wanted: impl Fn(&WaitingLine) -> bool) -> WaitingLine {
    let deadline = Instant::now() + Duration::from_secs(8);
    loop {
        let samples = samples(agent);
        if let Some(sample) = samples.iter().find(|sample| wanted(sample)) {
            return sample.clone();
        }
        assert!(Instant::now() < deadline, "not seen: {samples:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The record of the message that waited longest, and when its handling began and ended, UTC.
fn hang(truth: &BenchTruth) -> (VictimRecord, i64, i64) {
    let records = truth.victim.records.iter();
    let record = *records
        .max_by_key(|record| record.injected_ns)
        .expect("one");
    let called = record.called_ns + record.handed_off_utc_ns - record.handed_off_ns;
    (record, called - record.injected_ns, called)
}

/// Tag 52 of the oldest message that was not handed off at an instant, by both logs.
fn oldest_sent(truth: &BenchTruth, at_ns: i64) -> i64 {
    let records = truth.victim.records.iter();
    let oldest = records
        .filter(|record| record.handed_off_utc_ns > at_ns)
        .map(|record| record.seq)
        .min();
    let of = |seq| truth.sent.iter().find(|sent| sent.seq == seq);
    oldest.and_then(of).expect("something waits").sent_ns
}

#[test]
fn a_handler_that_hangs_in_a_round_trip_is_stalled_while_it_hangs() {
    let _guard = one_at_a_time();
    let database = Database::start(Duration::from_secs(3)).expect("a database");
    let port = database.port().to_string();
    let bench = hanging(900, "1", &["--inject", "query", "--database", &port]);
    let agent = watch_waiting(&bench, &[]);
    wait_for(&agent, |sample| sample.stalled);
    std::thread::sleep(Duration::from_millis(1200));
    let meanwhile = samples(&agent);
    let read_ns = clock::utc_ns();
    let truth = bench.finish();

    let (record, began_ns, ended_ns) = hang(&truth);
    assert!(read_ns < ended_ns, "the hang was over too early");
    let newest_ns = meanwhile.last().map_or(0, |sample| sample.at_ns);
    assert!(
        (0..1_000_000_000).contains(&(read_ns - newest_ns)),
        "{meanwhile:#?}"
    );
    let stalled: Vec<_> = meanwhile.iter().filter(|s| s.stalled).collect();
    assert!(stalled.len() >= 4, "{meanwhile:#?}");
    let mut queued = 0;
    for sample in meanwhile
        .iter()
        .filter(|sample| sample.at_ns > began_ns + STALLED_AFTER_NS)
    {
        assert!(sample.stalled, "{sample:?}");
        assert!(sample.in_hand_messages >= 1, "{sample:?}");
        assert!(sample.queued_bytes >= queued, "{sample:?}");
        queued = sample.queued_bytes;
        assert_eq!(sample.total(), sample.age_ns);
        assert!(!sample.lower_bound, "tag 52 was read: {sample:?}");
        let age_ns = sample.at_ns - oldest_sent(&truth, sample.at_ns);
        let error = (sample.age_ns - age_ns).abs();
        assert!(error < AGE_SLACK_NS, "off by {error} ns: {sample:?}");
        assert_eq!(sample.largest_part(), "blocked", "{sample:?}");
        assert_eq!(
            sample.culprit(),
            format!("recvfrom on a socket to 127.0.0.1:{port}")
        );
    }
    assert!(queued > 0, "nothing was queued behind it: {meanwhile:#?}");

    let output = agent.finish(END_LIMIT).expect("the agent ends");
    let lines = output.waiting();
    let after = lines
        .iter()
        .flatten()
        .filter(|sample| sample.at_ns > record.handed_off_utc_ns);
    assert_eq!(after.filter(|sample| sample.stalled).count(), 0);
    assert!(
        !lines
            .last()
            .is_some_and(|last| last.as_ref().is_some_and(|last| last.stalled)),
        "the stall did not end: {:?}",
        lines.last()
    );
}

#[test]
fn a_deadlock_is_named_with_the_threads_in_it() {
    let _guard = one_at_a_time();
    let bench = hanging(100_000, "1", &["--inject", "deadlock", "--hold-us", "0"]);
    let rival = process::thread(bench.victim.pid(), "rival").expect("a rival");
    let agent = watch_waiting(&bench, &[]);
    let sample = wait_for(&agent, |sample| sample.stalled);
    let reader = sample.reader.as_ref().expect("a reader");
    let rival = format!("rival/{rival}");
    assert_eq!(reader.deadlock, [rival.as_str()], "{sample:?}");
    assert_eq!(
        (reader.state.as_str(), reader.owner_by.as_str()),
        ("lock_wait", "lock")
    );
    let culprit = sample.culprit();
    assert!(culprit.starts_with("lock 0x"), "{culprit}");
    assert!(culprit.ends_with(&format!("held by {rival}")), "{culprit}");
    assert_eq!(sample.largest_part(), "lock_wait", "{sample:?}");
    bench.victim.signal(Signal::SIGKILL);
    drop(bench);
    let output = agent.finish(END_LIMIT).expect("the agent ends");
    assert!(output.status.success(), "{:?}", output.stderr);
}

#[test]
fn a_stop_in_the_middle_of_handling_hands_nothing_off() {
    let _guard = one_at_a_time();
    let bench = hanging(900, "1", &["--inject", "spin", "--hold-us", "400000"]);
    let agent = watch_waiting(&bench, &[]);
    while bench.venue.sent() < 42 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    let stopped_ns = clock::utc_ns();
    bench.victim.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(2500));
    let meanwhile = samples(&agent);
    let continued_ns = clock::utc_ns();
    bench.victim.signal(Signal::SIGCONT);
    let truth = bench.finish();

    let (record, began_ns, ended_ns) = hang(&truth);
    assert!(
        began_ns < stopped_ns && continued_ns < ended_ns,
        "not stopped while it handled: {record:?}"
    );
    let stopped: Vec<_> = meanwhile
        .iter()
        .filter(|sample| sample.at_ns > stopped_ns + STALLED_AFTER_NS)
        .collect();
    assert!(stopped.len() >= 4, "{meanwhile:#?}");
    for sample in stopped {
        assert!(sample.stalled, "{sample:?}");
        assert_eq!(sample.culprit(), "stopped by a signal");
        assert!(sample.in_hand_messages >= 1, "{sample:?}");
        let last_ns = sample.last_hand_off_ns.expect("40 messages before it");
        assert!(last_ns < began_ns, "handed off by the stop: {sample:?}");
        assert_eq!(sample.largest_part(), "blocked", "{sample:?}");
    }
    let output = agent.finish(END_LIMIT).expect("the agent ends");
    let session = &output.summary.expect("a summary")["sessions"][0];
    assert_eq!(session["messages"], truth.sent.len(), "{session}");
    let asleep = &session["matrix"]["in_app"]["blocked"];
    assert!(asleep.as_i64() > Some(2_400_000_000), "{session}");
}

#[test]
fn what_is_in_hand_when_the_process_is_killed_is_never_handed_off() {
    let _guard = one_at_a_time();
    let database = Database::start(Duration::from_secs(1)).expect("a database");
    let port = database.port().to_string();
    // The first hang lets a batch gather, which is in hand in the second.
    let bench = hanging(100_000, "2", &["--inject", "query", "--database", &port]);
    let agent = watch(bench.victim.pid(), &[]);
    bench.venue.open_gate();
    while bench.venue.sent() < 40 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(1600));
    let killed_ns = clock::utc_ns();
    bench.victim.signal(Signal::SIGKILL);
    let output = agent.finish(END_LIMIT).expect("the agent ends");
    let sent = bench.0.venue.stop().expect("the venue's log");

    let never: Vec<_> = output
        .messages
        .iter()
        .filter(|message| message.hand_off == "never")
        .collect();
    // All that arrived in the first second of hanging.
    assert!(never.len() > 100, "{}: {:?}", never.len(), output.summary);
    let session = &output.summary.expect("a summary")["sessions"][0];
    assert_eq!(session["hand_offs"]["never"], never.len(), "{session}");
    assert_eq!(session["messages"], output.messages.len(), "{session}");
    for message in never {
        exact(message);
        assert_eq!(message.part("unknown"), 0, "{message:?}");
        assert!(message.part("blocked") * 2 > message.age_ns, "{message:?}");
        let sent = sent.iter().find(|sent| sent.seq == message.seq);
        let sent_ns = sent.expect("the venue sent it").sent_ns;
        // The thread is gone some time after the signal.
        let late = message.age_ns - (killed_ns - sent_ns);
        assert!(
            (-AGE_SLACK_NS..500_000_000).contains(&late),
            "{late}: {message:?}"
        );
    }
}

#[test]
fn a_batch_that_is_handed_off_by_a_function_is_slow_and_not_stalled() {
    let _guard = one_at_a_time();
    // The second hang finds a batch of 60.
    let bench = hanging(100_000, "60", &["--inject", "sleep", "--hold-us", "300000"]);
    let agent = watch_waiting(&bench, &["--handoff", "tag52_victim_handed_off"]);
    let first = wait_for(&agent, |sample| sample.in_hand_messages > 10);
    std::thread::sleep(Duration::from_millis(1500));
    let mut in_hand = first.in_hand_messages;
    for sample in samples(&agent)
        .iter()
        .filter(|sample| sample.at_ns >= first.at_ns)
    {
        assert!(!sample.stalled, "{sample:?}");
        assert!(sample.in_hand_messages <= in_hand, "{sample:?}");
        in_hand = sample.in_hand_messages;
    }
    assert!(in_hand + 3 < first.in_hand_messages, "{in_hand}: {first:?}");
    bench.victim.signal(Signal::SIGKILL);
    drop(bench);
    agent.finish(END_LIMIT).expect("the agent ends");
}
