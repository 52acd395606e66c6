//! Every way to read: messages are joined, and the hand-off is the right instant.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lab::clock::{self, Resolution};
use lab::fix::{FixWriter, execution_report};
use live::{Bench, END_LIMIT, exact, median, observe_from, one_at_a_time, watch};

/// A plain victim that reads in one way: everything is joined and the hand-off is the victim's own.
fn reads(call: &str, size: &str, from: u64) {
    let _guard = one_at_a_time();
    let victim = ["--read", call, "--read-size", size, "--work-us", "300"];
    let run = observe_from(Bench::start(500.0, 500, &victim), from, &[]);
    let (error, age) = (run.hand_off_error(), run.median_age());
    // Each message costs at least 300 us, so a hand-off taken at the wrong instant is off by a
    // large part of that.
    assert!(
        error * 3 < age,
        "{call}: the hand-off is off by {error} ns, the age is {age} ns"
    );
    assert!(run.share("throttle") < 0.01, "{}", run.shares());
}

macro_rules! reading {
    ($($name:ident: $call:literal, $size:literal $(, from $from:literal)?;)*) => {
        $(#[test]
        fn $name() {
            reads($call, $size, 0 $(+ $from)?);
        })*
    };
}

reading! {
    reads_with_recv: "recv", "65536";
    reads_with_read: "read", "65536";
    reads_with_readv: "readv", "65536";
    reads_with_recvmsg: "recvmsg", "65536";
    // Its messages can be distinguished only after the agent has observed the first of them.
    reads_with_recvmmsg: "recvmmsg", "65536", from 200;
    reads_with_poll_and_recv: "poll+recv", "65536";
    reads_with_epoll_and_recv: "epoll+recv", "65536";
    reads_with_select_and_recv: "select+recv", "65536";
    reads_a_message_in_several_pieces: "recv", "100";
}

#[test]
fn a_named_function_is_the_hand_off_of_each_message() {
    let _guard = one_at_a_time();
    // More than it can do: reads return many messages, so the end of a batch is far from each.
    let victim = ["--work-us", "1000"];
    let run = observe_from(
        Bench::start(2000.0, 1500, &victim),
        0,
        &["--handoff", "tag52_victim_handed_off"],
    );
    let truth: HashMap<u64, (i64, i64)> = run
        .truth
        .victim
        .records
        .iter()
        .map(|r| {
            let to_utc = r.handed_off_utc_ns - r.handed_off_ns;
            (r.seq, (r.called_ns + to_utc, r.handed_off_utc_ns))
        })
        .collect();
    let function = run.messages.iter().filter(|m| m.hand_off == "function");
    let (mut late, mut rest_of_batch) = (Vec::new(), Vec::new());
    for message in function {
        let (called, batch_end) = truth[&message.seq];
        late.push((message.handed_off_ns - called).abs());
        rest_of_batch.push(batch_end - called);
    }
    assert!(
        late.len() * 100 >= run.messages.len() * 98,
        "{} of {} by function",
        late.len(),
        run.messages.len()
    );
    let (late, rest_of_batch) = (median(late), median(rest_of_batch));
    assert!(
        late * 20 < rest_of_batch,
        "{late} ns off, the batch goes on for {rest_of_batch} ns"
    );
}

/// One thread of this very process reads two sessions in turn, hundreds of messages with each call.
#[test]
fn two_sessions_of_one_thread_are_not_mixed() {
    const EACH: u64 = 400;
    let _guard = one_at_a_time();
    let agent = watch(std::process::id().cast_signed(), &[]);
    let pairs: Vec<_> = ["LEFT", "RIGHT"].map(|sender| (sender, connected())).into();
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    for (sender, (mut venue, application)) in pairs {
        let mut writer = FixWriter::new(sender, "DROP", Resolution::Micros);
        for number in 1..=EACH {
            let mut fields = String::new();
            execution_report(number, 120, &mut fields);
            let message = writer.message("8", clock::utc_ns(), &fields);
            venue.write_all(message).expect("room in the buffers");
        }
        senders.push(venue);
        receivers.push(application);
    }
    let reader = std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read: usize = receivers
                .iter_mut()
                .map(|socket| socket.read(&mut buffer).expect("a read"))
                .sum();
            if read == 0 {
                break;
            }
        }
    });
    drop(senders);
    reader.join().expect("no panic");
    std::thread::sleep(Duration::from_millis(300));
    agent.interrupt();
    let outcome = agent.finish(END_LIMIT).expect("it ends");
    assert!(outcome.status.success(), "{:?}", outcome.stderr);
    for sender in ["LEFT", "RIGHT"] {
        let seqs: Vec<u64> = outcome
            .messages
            .iter()
            .filter(|message| message.session.sender == sender)
            .map(|message| message.seq)
            .collect();
        let all: Vec<u64> = (1..=EACH).collect();
        assert_eq!(seqs, all, "{sender}");
    }
    for message in &outcome.messages {
        exact(message);
        assert!(message.arrived_ns.is_some(), "{message:?}");
    }
}

/// Both ends of a connection on loopback.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let venue = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (application, _) = listener.accept().expect("accepted");
    (venue, application)
}
