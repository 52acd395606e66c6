//! The laboratory itself, without the agent and without root: what the live tests take for the
//! truth.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lab::bench::{Bench, BenchTruth};
use lab::clock::{self, Resolution};
use lab::fix::{FixWriter, MessageFramer};
use lab::gil::{GilSetup, Rival};
use lab::venue::{self, Venue};
use lab::victim::MarkKind;

/// Tests run one at a time: they measure waiting, and two of them would wait for each other.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A venue with these options and a victim with these arguments, from the logon on.
fn bench(options: venue::VenueOptions, victim: &[&str]) -> Bench {
    Bench::start(options, victim).expect("a bench")
}

/// Opens the gate and waits until the victim has read everything and is gone.
fn finish(bench: Bench) -> BenchTruth {
    bench
        .finish(Duration::from_secs(30))
        .expect("the victim ends with the stream")
}

/// The middle one; 0 for none.
fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// Every message arrives once, in order, and its moments are in order.
fn check(truth: &BenchTruth, count: usize) {
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
            let truth = finish(bench(
                venue::VenueOptions::of(2000.0, 200),
                &["--read", call, "--read-size", size],
            ));
            check(&truth, 200);
        }
    }
}

#[test]
fn every_injection_makes_messages_wait() {
    let _guard = one_at_a_time();
    for inject in ["mutex", "pipe", "sleep"] {
        let truth = finish(bench(
            venue::VenueOptions::of(300.0, 200),
            &["--inject", inject, "--hold-us", "5000"],
        ));
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
    let options = venue::VenueOptions {
        rate: 1000.0,
        count: Some(600),
        prequeue: 50,
        send_buffer: Some(4096),
        resolution: Resolution::Millis,
        close_at_end: true,
        ..venue::VenueOptions::default()
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
    let truth = finish(bench(options, &victim));
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
    let options = venue::VenueOptions {
        rate: 50_000.0,
        send_buffer: Some(4096),
        ..venue::VenueOptions::default()
    };
    let victim = [
        "--inject",
        "sleep",
        "--hold-us",
        "60000000",
        "--receive-buffer",
        "4096",
    ];
    let bench = bench(options, &victim);
    bench.venue.open_gate();
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    bench.venue.stop().expect("the venue's log");
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
    let set = GilSetup::prepare(Path::new("python3")).expect("CPython and a C compiler");
    for rival in [Rival::Bytecode, calls] {
        let options = venue::VenueOptions::of(100.0, 100);
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
            if pair[1].kind == MarkKind::Lock {
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

/// A client asks for the message that was lost, rejects another one and logs out.
#[test]
fn the_venue_sends_a_lost_message_again_and_hears_its_client() {
    const TIME: i64 = 1_772_341_199_123_456_000;
    let venue = Venue::start(venue::VenueOptions {
        rate: 1000.0,
        count: Some(20),
        beat_every: Some(8),
        lose: Some(5),
        ..venue::VenueOptions::default()
    })
    .expect("a venue");
    venue.open_gate();
    let mut stream = TcpStream::connect(("127.0.0.1", venue.port())).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let mut writer = FixWriter::new("DROP", "VENUE", Resolution::Micros);
    let mut say = |stream: &mut TcpStream, msg_type: &str, fields: &str| {
        let message = writer.message(msg_type, TIME, fields);
        stream.write_all(message).expect("the venue reads");
    };
    say(&mut stream, "A", "98=0\u{1}108=5\u{1}");
    let (mut cutter, mut buffer, mut messages) = (MessageFramer::default(), [0; 4096], Vec::new());
    let mut expected = 1;
    // 1 Logon, 20 ExecutionReports, 2 Heartbeats, the gap fill, Logout.
    while messages.last() != Some(&("5".to_owned(), 24)) {
        let length = stream.read(&mut buffer).expect("the venue goes on");
        assert_ne!(length, 0, "the venue closed the connection: {messages:?}");
        cutter.push(&buffer[..length]);
        while let Some(message) = cutter.next_message() {
            if message.seq == expected + 1 {
                say(&mut stream, "2", &format!("7={expected}\u{1}16=0\u{1}"));
            }
            expected = expected.max(message.seq + 1);
            messages.push((message.msg_type, message.seq));
            if messages.len() == 24 {
                say(&mut stream, "3", "45=9\u{1}");
                say(&mut stream, "5", "");
            }
        }
    }
    drop(stream);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !venue.finished() {
        assert!(Instant::now() < deadline, "the venue ends with its client");
        std::thread::sleep(Duration::from_millis(5));
    }
    let count = |msg_type: &str| messages.iter().filter(|(kind, _)| kind == msg_type).count();
    assert_eq!(
        [count("A"), count("8"), count("0"), count("4"), count("5")],
        [1, 20, 2, 1, 1]
    );
    // The report of that number comes after those that follow it, and the rest is filled with
    // nothing.
    let at = |seq: u64| messages.iter().position(|(_, number)| *number == seq);
    assert!(at(6) > at(7), "{messages:?}");
    assert_eq!(messages[at(6).expect("sent again") + 1].0, "4");
    let received = venue.received();
    let kinds: Vec<&str> = received
        .iter()
        .map(|received| received.msg_type.as_str())
        .collect();
    assert_eq!(kinds, ["A", "2", "3", "5"]);
    assert_eq!(received[2].ref_seq, Some(9));
    assert!(
        received
            .iter()
            .all(|received| received.sent_ns == Some(TIME))
    );
    let sent = venue.stop().expect("the venue's log");
    assert_eq!(sent.len(), messages.len());
    assert!(sent.iter().all(|sent| sent.sent_ns <= clock::utc_ns()));
}
