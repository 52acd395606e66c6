//! `tag52 run --all`: what reads FIX is found, whatever else goes on, and what a selector leaves
//! out is left alone.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lab::agent::{AgentOutput, AgentProcess, MessageLine};
use lab::clock::{self, Resolution};
use lab::fix::{FixWriter, execution_report};
use live::{Bench, BenchTruth, END_LIMIT, attached, first_observed, one_at_a_time};

fn start(more: &[&str]) -> AgentProcess {
    attached([&["--all", "--json", "messages"], more].concat())
}

/// Gives it the time to handle what was read last, and ends it.
fn end(agent: AgentProcess) -> AgentOutput {
    std::thread::sleep(Duration::from_millis(300));
    agent.interrupt();
    let outcome = agent.finish(END_LIMIT).expect("it ends when asked");
    assert!(outcome.status.success(), "{:?}", outcome.stderr);
    assert_eq!(outcome.errors, Vec::<String>::new());
    let summary = outcome.summary.as_ref().expect("a summary");
    // What is excluded on purpose is no loss.
    let stray = &summary["health"]["lost"]["socket_unregistered"];
    assert_eq!(stray.as_u64(), Some(0), "{summary}");
    outcome
}

fn found(outcome: &AgentOutput, counted: &str) -> u64 {
    let summary = outcome.summary.as_ref().expect("a summary");
    let count = summary["health"]["discovery"][counted].as_u64();
    count.unwrap_or_else(|| panic!("no count of {counted}: {summary}"))
}

/// The ExecutionReports that a process read, all exact.
fn reports(outcome: &AgentOutput, pid: i32) -> Vec<&MessageLine> {
    let its = outcome.messages.iter().filter(|m| m.session.pid == pid);
    let its: Vec<_> = its.filter(|m| m.msg_type == "8").collect();
    for message in &its {
        assert_eq!(message.inexact(), None);
    }
    its
}

/// The agent has a line for every report from MsgSeqNum `first` on that a victim read.
fn complete(outcome: &AgentOutput, pid: i32, truth: &BenchTruth, first: u64) {
    let read = reports(outcome, pid);
    let read: BTreeSet<u64> = read.iter().map(|m| m.seq).filter(|s| *s >= first).collect();
    let sent = truth.sent.iter().map(|m| m.seq).filter(|s| *s >= first);
    let missing: Vec<u64> = sent.filter(|seq| !read.contains(seq)).collect();
    assert!(
        missing.is_empty() && !read.is_empty(),
        "of {} reports from {first} on {missing:?} are missing, of process {pid}: {:#?} {}",
        truth.sent.len(),
        outcome.stderr,
        outcome.summary.as_ref().expect("a summary")
    );
}

/// A connection over which `send` writes, and this process reads `step` bytes at a time.
fn pair(step: usize, send: impl FnOnce(TcpStream) + Send + 'static) -> JoinHandle<usize> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut client = TcpStream::connect(to).expect("connects");
        let (server, _) = listener.accept().expect("accepts");
        let sender = std::thread::spawn(move || send(server));
        let mut buffer = vec![0; step];
        let mut read = 0;
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            read += length;
        }
        sender.join().expect("no panic");
        read
    })
}

#[test]
fn sessions_are_found_before_and_after_the_start_and_nothing_else() {
    const MESSAGES: u64 = 150;
    let _guard = one_at_a_time();
    let early = Bench::start(300.0, MESSAGES, &[]);
    let agent = start(&[]);
    let late = Bench::start(300.0, MESSAGES, &[]);
    // A stream in which FIX only occurs, and one whose first message comes byte by byte.
    let chatter = pair(4096, |mut stream| {
        for _ in 0..50 {
            let text = b"HTTP/1.1 200 OK\r\n\r\n8=FIX.4.4\x019=5\x01";
            stream.write_all(text).expect("sent");
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let drips = pair(1, |mut stream| {
        let mut writer = FixWriter::new("DRIP", "DROP", Resolution::Micros);
        let mut fields = String::new();
        for number in 0..5 {
            execution_report(number, 120, &mut fields);
            let message = writer.message("8", clock::utc_ns(), &fields);
            stream.write_all(message).expect("sent");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let pids = [early.victim.pid(), late.victim.pid()];
    let truths = [early.finish(), late.finish()];
    assert!(chatter.join().expect("no panic") > 0);
    assert!(drips.join().expect("no panic") > 0);
    let outcome = end(agent);
    let firsts = [first_observed(&truths[0]), 0];
    for ((pid, truth), first) in pids.into_iter().zip(&truths).zip(firsts) {
        let read = reports(&outcome, pid);
        complete(&outcome, pid, truth, first);
        // When the first ones had arrived was not observed.
        let observed = read.iter().filter(|m| m.seq >= first);
        let unknown = observed.filter(|m| m.part("unknown") > 0).count();
        assert!(unknown <= 2, "{unknown} of process {pid}");
    }
    let own = std::process::id().cast_signed();
    let dripped = reports(&outcome, own);
    assert_eq!(dripped.len(), 5);
    assert!(dripped.iter().all(|m| m.session.sender == "DRIP"));
    let foreign = |m: &&MessageLine| m.session.sender == "VENUE" && !pids.contains(&m.session.pid);
    assert_eq!(outcome.messages.iter().filter(foreign).count(), 0);
    assert!(found(&outcome, "fix") >= 3 && found(&outcome, "other") >= 1);
    assert_eq!(found(&outcome, "not_selected"), 0);
}

#[test]
fn what_a_selector_excludes_is_not_touched() {
    let _guard = one_at_a_time();
    let ours = Bench::start(300.0, 60, &[]);
    let theirs = Bench::start(300.0, 60, &[]);
    // Its command line has the port of its venue.
    let wanted = format!("--venue {} ", ours.venue.port());
    let agent = start(&["--cmdline", &wanted, "--comm", "victim*"]);
    let (our_pid, their_pid) = (ours.victim.pid(), theirs.victim.pid());
    let (truth, _) = (ours.finish(), theirs.finish());
    let again = Bench::start(300.0, 20, &[]);
    again.finish();
    let outcome = end(agent);
    complete(&outcome, our_pid, &truth, first_observed(&truth));
    assert_eq!(reports(&outcome, their_pid).len(), 0);
    let others = outcome.messages.iter().filter(|m| m.session.pid != our_pid);
    assert_eq!(others.count(), 0);
    assert!(found(&outcome, "not_selected") >= 2);
}

#[test]
fn the_function_of_a_process_found_later_is_its_hand_off() {
    let _guard = one_at_a_time();
    let symbol = "tag52_victim_handed_off";
    let agent = start(&["--handoff", symbol]);
    let bench = Bench::start(200.0, 60, &["--work-us", "500"]);
    let pid = bench.victim.pid();
    // It is attached when the first message was observed, the logon.
    let deadline = Instant::now() + Duration::from_secs(20);
    let is_followed = |note: &String| note.starts_with(&format!("tag52: pid {pid} "));
    while !agent.notes().iter().any(is_followed) {
        assert!(Instant::now() < deadline, "{:?}", agent.notes());
        std::thread::sleep(Duration::from_millis(10));
    }
    let truth = bench.finish();
    let outcome = end(agent);
    let read = reports(&outcome, pid);
    assert_eq!(read.len(), truth.sent.len());
    let by_function = read.iter().filter(|m| m.hand_off == "function").count();
    assert!(
        by_function * 10 >= read.len() * 9,
        "{by_function} of {}",
        read.len()
    );
}
