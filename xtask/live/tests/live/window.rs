//! What the sender waits for: a closed window, an acknowledgement.

use lab::blame::{Blame, BlameEntry};
use lab::venue;
use live::{Bench, observe, observe_from, one_at_a_time};

#[test]
fn a_closed_window_is_held_back_and_not_network() {
    let _guard = one_at_a_time();
    let victim = [
        "--inject",
        "rcvbuf",
        "--receive-buffer",
        "2048",
        "--hold-us",
        "400000",
        "--gap-us",
        "50000",
    ];
    let run = observe(Bench::start(600.0, 1500, &victim));
    let held_back: i64 = run
        .messages
        .iter()
        .map(|message| message.stage("held_back"))
        .sum();
    let outside = run.outside_network();
    assert!(
        held_back * 2 > outside,
        "held back {held_back} ns of {outside} ns; {}",
        run.shares()
    );
    // While the window was closed the victim slept.
    run.dominated_by("blocked");
    let slept = |row: &BlameEntry| row.ends("nanosleep");
    assert!(run.blamed("blocked", slept) > 0.9, "{}", run.summary);
    let blame = Blame::of(&run.summary).expect("a summary");
    let of_rows: i64 = blame
        .rows("blocked")
        .filter(|row| slept(row))
        .map(|row| row.held_back_ns)
        .sum();
    let session = &run.summary["sessions"][0];
    let cell = session["matrix"]["held_back"]["blocked"].as_i64();
    assert!(of_rows * 10 > cell.expect("ns") * 9, "{session}");
    let window = &session["window"];
    let closed = window["closed_ns"].as_i64().expect("ns");
    let asleep = window["parts"]["blocked"].as_i64().unwrap_or(0);
    // An emulated CPU takes a tenth of that for the reads in between.
    let emulated = i64::from(std::env::var_os("TAG52_VM").is_some());
    assert!(asleep * 10 > closed * (9 - emulated), "{window}");
    // It was closed when the victim slept, not longer than that and the few reads in between.
    let (first, last) = (
        &run.truth.sent[0],
        &run.truth.sent[run.truth.sent.len() - 1],
    );
    let records = &run.truth.victim.records;
    let through = records[records.len() - 1].handed_off_ns - first.sent_monotonic_ns;
    assert!(closed < through, "{window}");
    // What the venue could not send at once was held back by the closed window.
    let sending = last.sent_monotonic_ns - first.sent_monotonic_ns;
    assert!(closed * 2 > sending, "{window}, {sending} ns of sending");
    assert!(
        run.total("network") * 2 < outside,
        "network {} ns beside {outside} ns",
        run.total("network")
    );
}

#[test]
fn waiting_for_our_acknowledgement_is_distinguished_from_the_network() {
    let _guard = one_at_a_time();
    let run = |nodelay, victim: &[&str]| {
        let options = venue::VenueOptions {
            nodelay,
            ..venue::VenueOptions::of(300.0, 900)
        };
        // Where calls are hooked at their entry, the first read, which may be of many messages, is
        // not observed.
        let run = observe_from(Bench::with(options, victim), 50, &[]);
        let pending: i64 = run.messages.iter().map(|m| m.ack_pending_ns).sum();
        let network = run.total("network");
        for message in &run.messages {
            let in_flight = message.stage("in_flight");
            assert!(message.ack_pending_ns <= in_flight.max(0), "{message:?}");
        }
        (pending, network)
    };
    // While it does not read, the kernel acknowledges late, and the venue sends nothing before
    // that.
    let pauses = [
        "--inject",
        "rcvbuf",
        "--hold-us",
        "200000",
        "--gap-us",
        "100000",
    ];
    let (pending, network) = run(false, &pauses);
    assert!(
        pending * 10 > network * 8,
        "an ACK was pending for {pending} ns of {network} ns in the network"
    );
    let (quick, quick_network) = run(true, &[]);
    println!("{pending} of {network}; {quick} of {quick_network}");
    assert!(
        quick * 20 < pending && quick * 2 < quick_network,
        "{quick} ns of {quick_network} ns beside {pending} ns"
    );
}
