//! The laboratory itself, without the agent and without root: what the live tests take for the truth.

#[expect(dead_code, reason = "shared with the live tests, which use more of it")]
mod common;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use common::{Bench, Truth, median, one_at_a_time};
use xtask::lab::clock::Resolution;
use xtask::lab::gil::{Rival, Set};
use xtask::lab::venue;
use xtask::lab::victim::Did;

/// Every message arrives once, in order, and its moments are in order.
fn check(truth: &Truth, count: usize) {
    let sent: Vec<u64> = truth.sent.iter().map(|message| message.seq).collect();
    let read: Vec<u64> = truth
        .victim
        .records
        .iter()
        .map(|record| record.seq)
        .collect();
    assert_eq!(sent.len(), count);
    assert_eq!(sent, read);
    let sent: HashMap<u64, i64> = truth
        .sent
        .iter()
        .map(|message| (message.seq, message.sent_monotonic_ns))
        .collect();
    for record in &truth.victim.records {
        assert!(
            sent[&record.seq] <= record.received_ns,
            "received before it was sent: {record:?}"
        );
        assert!(
            record.received_ns <= record.called_ns && record.called_ns <= record.handed_off_ns,
            "{record:?}"
        );
        assert!(
            record.injected_ns <= record.called_ns - record.received_ns,
            "{record:?}"
        );
    }
}

#[test]
fn every_way_to_read_gets_every_message() {
    let _guard = one_at_a_time();
    for call in [
        "recv",
        "read",
        "readv",
        "recvmsg",
        "recvmmsg",
        "poll+recv",
        "epoll+recv",
        "select+recv",
    ] {
        for size in ["65536", "150"] {
            let truth = Bench::start(2000.0, 200, &["--read", call, "--read-size", size]).finish();
            check(&truth, 200);
        }
    }
}

#[test]
fn every_injection_makes_messages_wait() {
    let _guard = one_at_a_time();
    for inject in ["mutex", "pipe", "sleep"] {
        let truth = Bench::start(300.0, 200, &["--inject", inject, "--hold-us", "5000"]).finish();
        check(&truth, 200);
        let injected = median(
            truth
                .victim
                .records
                .iter()
                .map(|record| record.injected_ns)
                .collect(),
        );
        assert!(injected > 500_000, "{inject}: {injected} ns");
    }
}

#[test]
fn a_small_receive_buffer_stalls_the_sender_and_loses_nothing() {
    let _guard = one_at_a_time();
    let options = venue::Options {
        rate: 1000.0,
        count: Some(600),
        prequeue: 50,
        send_buffer: Some(4096),
        resolution: Resolution::Millis,
        close_at_end: true,
        ..venue::Options::default()
    };
    let victim = [
        "--inject",
        "rcvbuf",
        "--receive-buffer",
        "4096",
        "--hold-us",
        "100000",
        "--gap-us",
        "20000",
    ];
    let truth = Bench::with(options, &victim).finish();
    check(&truth, 600);
    assert!(
        truth
            .sent
            .iter()
            .any(|message| message.blocked_ns > 10_000_000),
        "the sender never stalled"
    );
    assert!(
        truth
            .sent
            .iter()
            .all(|message| message.sent_ns % 1_000_000 == 0)
    );
}

#[test]
fn a_venue_whose_client_does_not_read_can_be_stopped() {
    let _guard = one_at_a_time();
    let options = venue::Options {
        rate: 50_000.0,
        send_buffer: Some(4096),
        ..venue::Options::default()
    };
    let victim = [
        "--inject",
        "sleep",
        "--hold-us",
        "60000000",
        "--receive-buffer",
        "4096",
    ];
    let bench = Bench::with(options, &victim);
    bench.venue.open_gate();
    std::thread::sleep(Duration::from_millis(300));
    let start = std::time::Instant::now();
    bench.0.venue.stop().expect("the venue's log");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_python_victim_accounts_for_its_waits_for_the_gil() {
    let _guard = one_at_a_time();
    let hold_us = 10_000;
    let calls = Rival::Calls {
        hold_us,
        gap_us: 2_000,
    };
    let set = Set::prepare(Path::new("python3")).expect("CPython and a C compiler");
    for rival in [Rival::Bytecode, calls] {
        let options = venue::Options::of(100.0, 100);
        let bench = set.bench(options, rival, 5_000).expect("a victim");
        let truth = bench
            .finish(Duration::from_secs(30))
            .expect("it ends with the stream");
        check(&truth, 100);
        let marks = &truth.victim.marks;
        let (mut asleep, mut stamped) = (0, HashSet::new());
        for pair in marks.windows(2) {
            let passed = pair[1].at_ns - pair[0].at_ns;
            let awake = pair[1].cpu_ns - pair[0].cpu_ns + pair[1].delay_ns - pair[0].delay_ns;
            assert!(passed > 0, "{pair:?}");
            if pair[1].did == Did::Lock {
                asleep += passed - awake;
            }
            stamped.insert(pair[1].at_ns);
        }
        // Every moment of a message is one of the account.
        for record in &truth.victim.records {
            assert!(stamped.contains(&record.received_ns), "{record:?}");
            assert!(stamped.contains(&record.handed_off_ns), "{record:?}");
        }
        let (first, last) = (marks[0].at_ns, marks[marks.len() - 1].at_ns);
        assert!(
            asleep > (last - first) / 10,
            "{rival:?}: {asleep} ns asleep"
        );
    }
    let holds = set.holds().expect("the rival's log");
    assert!(!holds.is_empty());
    assert!(
        holds
            .iter()
            .all(|hold| hold.to_ns - hold.from_ns >= i64::from(hold_us) * 1_000)
    );
}
