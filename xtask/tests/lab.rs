//! The laboratory itself, without the agent and without root: what the live tests take for the truth.

#[expect(dead_code, reason = "shared with the live tests, which use more of it")]
mod common;

use std::collections::HashMap;

use common::{Bench, Truth, median, one_at_a_time};
use xtask::lab::clock::Resolution;
use xtask::lab::venue;

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
    std::thread::sleep(std::time::Duration::from_millis(300));
    let start = std::time::Instant::now();
    bench.0.venue.stop().expect("the venue's log");
    assert!(start.elapsed() < std::time::Duration::from_secs(2));
}
