//! Live tests: the real probes in the running kernel, real processes, known causes of waiting.
//!
//! They need root and the agent's binary: run them with `cargo xtask test`. Times are never
//! compared with constants tighter than sanity, only with what the same run says about itself:
//! other load on the machine makes every one of them longer.

mod accuracy;
mod cgroups;
mod dashboards;
mod discovery;
mod pods;
mod top;
mod what_if;

use std::collections::{BTreeSet, HashMap};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use demo::{self, Mode};
use lab::agent::{Agent, AgentOutput, Message};
use lab::blame::{Blame, Blamed};
use lab::cgroup::Cgroup;
use lab::clock::{self, Resolution};
use lab::cpu;
use lab::fix::{Writer, execution_report};
use lab::holds::Waits;
use lab::runners::Runners;
use lab::venue;
use lab::victim::Record;
use live::{
    Bench, END_LIMIT, Truth, agent_binary, attached, first_seen, median, one_at_a_time, rival,
    waker,
};
use nix::sys::signal::Signal;
use tag52::verdict::HEALTHY_NS;
use workspace::child::Guarded;

/// How far the agent's UTC may be from the victim's, nanoseconds: two readings of two clocks.
const CLOCK_SLACK_NS: i64 = 100_000;

fn watch(pid: i32, more: &[&str]) -> Agent {
    let pid = pid.to_string();
    attached([&["--pid", &pid, "--json", "messages"], more].concat())
}

/// A finished experiment.
struct Run {
    messages: Vec<Message>,
    truth: Truth,
    summary: serde_json::Value,
}

/// Watches the victim from before the first message to its end, and checks what holds in every run.
fn observe(bench: Bench) -> Run {
    observe_from(bench, 0, &[])
}

/// The same with more options for the agent; messages before `from` may be missing.
fn observe_from(bench: Bench, from: u64, more: &[&str]) -> Run {
    let agent = watch(bench.victim.pid(), more);
    let truth = bench.finish();
    let from = from.max(first_seen(&truth));
    let AgentOutput {
        status,
        messages,
        errors,
        stderr,
        summary,
        ..
    } = agent
        .finish(END_LIMIT)
        .expect("the agent ends with the process it watches");
    assert!(status.success(), "{status}: {stderr:?}");
    assert_eq!(errors, Vec::<String>::new());
    let messages: Vec<Message> = messages
        .into_iter()
        .filter(|message| message.msg_type == "8" && message.seq >= from)
        .collect();
    let mut truth = truth;
    truth.sent.retain(|message| message.seq >= from);
    truth.victim.records.retain(|record| record.seq >= from);
    let run = Run {
        messages,
        truth,
        summary: summary.expect("a summary"),
    };
    for message in &run.messages {
        exact(message);
    }
    run.joins();
    run
}

/// Stages and parts sum to the age, to the nanosecond, and nothing but the network is negative.
fn exact(message: &Message) {
    assert_eq!(message.inexact(), None);
}

impl Run {
    /// Every message is there once, with the venue's tag 52, and was not handed off before the
    /// victim says so.
    fn joins(&self) {
        let ours: HashMap<u64, &Message> = self
            .messages
            .iter()
            .map(|message| (message.seq, message))
            .collect();
        assert_eq!(
            ours.len(),
            self.messages.len(),
            "a message was reported twice"
        );
        let sent: BTreeSet<u64> = self.truth.sent.iter().map(|message| message.seq).collect();
        let seen: BTreeSet<u64> = ours.keys().copied().collect();
        let missing: Vec<_> = sent.difference(&seen).take(5).collect();
        assert_eq!(sent, seen, "missing, among others: {missing:?}");
        for message in &self.truth.sent {
            assert_eq!(
                ours[&message.seq].sent_ns, message.sent_ns,
                "MsgSeqNum {}",
                message.seq
            );
        }
        for record in &self.truth.victim.records {
            let message = ours[&record.seq];
            // By function, a message may be handed off before its batch is.
            let end = if message.hand_off == "function" {
                record.called_ns + record.handed_off_utc_ns - record.handed_off_ns
            } else {
                record.handed_off_utc_ns
            };
            let early = end - message.handed_off_ns;
            assert!(
                early < CLOCK_SLACK_NS,
                "handed off {early} ns early: {message:?} {record:?}"
            );
        }
        let unknown = self
            .messages
            .iter()
            .filter(|message| message.part("unknown") > 0)
            .count();
        assert!(
            unknown * 50 <= self.messages.len(),
            "{unknown} messages with unknown time"
        );
    }

    /// The rows of every part's blame sum to the part, and this share of one is charged to culprits
    /// that `is` is true for.
    fn blamed(&self, part: &str, is: impl Fn(&Blamed) -> bool) -> f64 {
        let blame = Blame::of(&self.summary).expect("a summary");
        assert_eq!(blame.inexact(), Vec::<String>::new());
        blame.share(part, is)
    }

    /// The agent's hand-off minus the victim's, median, nanoseconds.
    fn hand_off_error(&self) -> i64 {
        let truth: HashMap<u64, i64> = self
            .truth
            .victim
            .records
            .iter()
            .map(|record| (record.seq, record.handed_off_utc_ns))
            .collect();
        let late = |message: &Message| (message.handed_off_ns - truth[&message.seq]).abs();
        median(self.messages.iter().map(late).collect())
    }

    fn median_age(&self) -> i64 {
        median(self.messages.iter().map(|message| message.age_ns).collect())
    }

    fn total(&self, part: &str) -> i64 {
        self.messages.iter().map(|message| message.part(part)).sum()
    }

    /// Everything but the network.
    fn outside_network(&self) -> i64 {
        self.messages
            .iter()
            .map(|message| message.age_ns - message.part("network"))
            .sum()
    }

    /// A part's share of the age outside the network.
    fn share(&self, part: &str) -> f64 {
        self.total(part) as f64 / self.outside_network() as f64
    }

    fn shares(&self) -> String {
        [
            "on_cpu",
            "run_queue",
            "throttle",
            "lock_wait",
            "blocked",
            "unknown",
        ]
        .map(|part| format!("{part} {:.3}", self.share(part)))
        .join(", ")
    }

    /// The injected waiting inside the application, as the victim measured it: a message waits for
    /// everything that is done for the messages of its receive call.
    fn injected(&self) -> i64 {
        let mut calls: HashMap<i64, Vec<&Record>> = HashMap::new();
        for record in &self.truth.victim.records {
            calls.entry(record.received_ns).or_default().push(record);
        }
        let waited = |records: &Vec<&Record>| {
            records.iter().map(|record| record.injected_ns).sum::<i64>() * records.len() as i64
        };
        calls.values().map(waited).sum()
    }

    /// The part in the application beside the victim's own measurement, which also holds the time
    /// from being woken to running again.
    fn agrees_in_app(&self, part: &str) {
        let found: i64 = self
            .messages
            .iter()
            .filter_map(|message| message.matrix.get("in_app")?.get(part))
            .sum();
        let ratio = found as f64 / self.injected() as f64;
        assert!(
            (0.5..1.05).contains(&ratio),
            "{part} in app is {ratio:.3} of the injected waiting"
        );
    }

    fn dominated_by(&self, part: &str) {
        assert!(
            self.share(part) > 0.5,
            "{part} does not dominate: {}",
            self.shares()
        );
    }
}

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
    // Its messages can be told apart only after the agent has seen the first of them.
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
        let mut writer = Writer::new(sender, "DROP", Resolution::Micros);
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

#[test]
fn a_contended_mutex_is_lock_wait() {
    let _guard = one_at_a_time();
    let victim = ["--inject", "mutex", "--hold-us", "5000", "--gap-us", "1000"];
    let run = observe(Bench::start(300.0, 900, &victim));
    run.dominated_by("lock_wait");
    run.agrees_in_app("lock_wait");
    assert!(run.share("blocked") < 0.05, "{}", run.shares());
    let rival = run.blamed("lock_wait", |row| row.comm.as_deref() == Some("rival"));
    assert!(rival > 0.95, "{rival} blamed on the rival: {}", run.summary);
}

#[test]
fn a_full_pipe_is_blocked() {
    let _guard = one_at_a_time();
    let run = observe(Bench::start(
        300.0,
        600,
        &["--inject", "pipe", "--hold-us", "4000"],
    ));
    let pipe = run.blamed("blocked", |row| row.begins("write on pipe "));
    assert!(pipe > 0.95, "{pipe} blamed on the pipe: {}", run.summary);
    run.dominated_by("blocked");
    run.agrees_in_app("blocked");
    assert!(run.share("lock_wait") < 0.05, "{}", run.shares());
}

#[test]
fn a_sleep_is_blocked() {
    let _guard = one_at_a_time();
    let run = observe(Bench::start(
        300.0,
        600,
        &["--inject", "sleep", "--hold-us", "4000"],
    ));
    run.dominated_by("blocked");
    run.agrees_in_app("blocked");
    assert!(run.share("lock_wait") < 0.05, "{}", run.shares());
}

#[test]
fn a_switch_that_no_probe_saw_is_made_up_for() {
    let _guard = one_at_a_time();
    let bench = Bench::start(300.0, 600, &["--inject", "sleep", "--hold-us", "4000"]);
    let run = observe_from(bench, 6, &["--simulate-unseen-switches", "5"]);
    run.dominated_by("blocked");
    run.agrees_in_app("blocked");
    let anomalies = &run.summary["health"]["anomalies"];
    let of = |kind: &str| anomalies[kind].as_u64().unwrap_or(0);
    assert!(of("switch_rebuilt") > 100, "{anomalies}");
    let unknown: i64 = run.messages.iter().map(|m| m.part("unknown")).sum();
    let ages: i64 = run.messages.iter().map(|m| m.age_ns).sum();
    assert!(unknown * 100 < ages, "{unknown} ns of {ages} ns unknown");
}

#[test]
fn a_quota_is_throttle_and_not_run_queue() {
    let _guard = one_at_a_time();
    let group = Cgroup::with_quota(Duration::from_millis(20), Duration::from_millis(100))
        .expect("a cgroup with a quota");
    let cpu = cpu::allowed()[0].to_string();
    // 300 ms of work per second, 200 ms of quota: it is used up in every period.
    let bench = Bench::start(300.0, 900, &["--work-us", "1000", "--cpu", &cpu]);
    group
        .add(bench.victim.pid())
        .expect("the victim joins the cgroup");
    let run = observe(bench);
    run.dominated_by("throttle");
    let quota = run.blamed("throttle", |row| {
        row.begins("the quota of /") && row.ends(&group.below())
    });
    assert!(quota > 0.95, "{quota} blamed on the quota: {}", run.summary);
    assert!(
        run.share("throttle") > 2.0 * run.share("run_queue"),
        "{}",
        run.shares()
    );
    let stat = group.stat().expect("cpu.stat");
    let longest = run
        .messages
        .iter()
        .map(|message| message.part("throttle"))
        .max()
        .unwrap_or(0);
    assert!(stat.throttled_periods > 0);
    assert!(
        longest <= stat.throttled_ns.cast_signed(),
        "a message was throttled for {longest} ns, the whole group for {} ns",
        stat.throttled_ns
    );
}

#[test]
fn a_thread_that_is_woken_is_blocked_no_longer() {
    let _guard = one_at_a_time();
    let cpu = cpu::allowed()[0];
    let _rival = rival(cpu);
    // Rare messages: each finds the thread asleep, wakes it, and waits until it gets the CPU.
    let bench = Bench::start(100.0, 200, &["--cpu", &cpu.to_string()]);
    let run = observe(bench);
    let blocked: i64 = run
        .messages
        .iter()
        .filter_map(|message| message.matrix.get("queued")?.get("blocked"))
        .sum();
    let queued: i64 = run.messages.iter().map(|m| m.stage("queued")).sum();
    assert!(
        blocked * 3 < queued,
        "asleep for {blocked} ns of the {queued} ns in the queue"
    );
}

#[test]
fn rivals_on_the_cpu_are_run_queue_and_not_throttle() {
    let _guard = one_at_a_time();
    let cpu = cpu::allowed()[0];
    let rivals = [rival(cpu), rival(cpu), rival(cpu)];
    let runners = Runners::of(&rivals, &[cpu]).expect("their accounts");
    let bench = Bench::start(
        300.0,
        700,
        &["--work-us", "1000", "--cpu", &cpu.to_string()],
    );
    let run = observe(bench);
    run.dominated_by("run_queue");
    assert!(run.share("throttle") < 0.01, "{}", run.shares());
    let share = run.blamed("run_queue", |row| runners.are(row));
    let theirs = runners
        .share(run.truth.victim.usage.schedstat.on_cpu_ns)
        .expect("/proc/stat");
    assert!(
        share > theirs - 0.05,
        "{share} blamed on the rivals, who had {theirs} of the CPU: {}",
        run.summary
    );
    assert!(
        run.share("lock_wait") + run.share("blocked") < 0.1,
        "{}",
        run.shares()
    );
    let longest = run
        .messages
        .iter()
        .map(|message| message.part("run_queue"))
        .max()
        .unwrap_or(0);
    let delay = run.truth.victim.usage.schedstat.run_delay_ns;
    assert!(
        longest as f64 <= 1.05 * delay as f64,
        "a message waited {longest} ns, the kernel says {delay} ns for the thread's whole life"
    );
}

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
    let slept = |row: &Blamed| row.ends("nanosleep");
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
    // What the venue could not send at once, it kept back behind the closed window.
    let sending = last.sent_monotonic_ns - first.sent_monotonic_ns;
    assert!(closed * 2 > sending, "{window}, {sending} ns of sending");
    assert!(
        run.total("network") * 2 < outside,
        "network {} ns beside {outside} ns",
        run.total("network")
    );
}

#[test]
fn a_venue_that_waits_for_our_acknowledgement_is_told_from_the_network() {
    let _guard = one_at_a_time();
    let run = |nodelay, victim: &[&str]| {
        let options = venue::VenueOptions {
            nodelay,
            ..venue::VenueOptions::of(300.0, 900)
        };
        // Of the first read, which may be of many messages, nothing is seen where calls are hooked
        // at their entry.
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

#[test]
fn a_database_round_trip_is_not_a_hand_off() {
    let _guard = one_at_a_time();
    let database = lab::database::Database::start(Duration::from_millis(2)).expect("a database");
    for call in ["recv", "poll+recv"] {
        let port = database.port().to_string();
        let victim = ["--read", call, "--inject", "db", "--database", &port];
        let run = observe(Bench::start(200.0, 400, &victim));
        run.dominated_by("blocked");
        run.agrees_in_app("blocked");
        let round_trip = median(
            run.truth
                .victim
                .records
                .iter()
                .map(|record| record.injected_ns)
                .collect(),
        );
        let error = run.hand_off_error();
        assert!(
            error * 4 < round_trip,
            "{call}: off by {error} ns, a round trip takes {round_trip} ns"
        );
    }
}

/// Runs the agent to its end and returns its exit code and its standard error.
fn refuse(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(agent_binary())
        .arg("run")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the agent runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn bad_use_gets_one_line_and_exit_code_2() {
    let _guard = one_at_a_time();
    let (code, text) = refuse(&["--pid", "4194303"]);
    assert_eq!((code, text.trim().lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains("4194303"), "{text}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let pid = std::process::id().to_string();
    let (code, text) = refuse(&["--pid", &pid, "--listen", &address]);
    assert_eq!((code, text.trim().lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains(&address), "{text}");
}

#[test]
fn a_process_without_fix_is_waited_for_and_its_end_is_no_error() {
    let _guard = one_at_a_time();
    let mut command = Command::new("sleep");
    let sleeper = Guarded::spawn(command.arg("60"), "sleep").expect("a process");
    let mut agent = watch(sleeper.pid(), &[]);
    std::thread::sleep(Duration::from_secs(3));
    assert!(agent.ended().is_none(), "the agent did not wait");
    drop(sleeper);
    let outcome = agent.finish(END_LIMIT).expect("the agent ends");
    assert!(outcome.status.success(), "{}", outcome.status);
    let said = outcome
        .stderr
        .iter()
        .any(|line| line.contains("no FIX session"));
    assert!(
        said,
        "it did not say that there is no FIX session: {:?}",
        outcome.stderr
    );
    assert_eq!(outcome.messages.len(), 0);
}

#[test]
fn an_interrupt_ends_it_with_exit_code_0() {
    let _guard = one_at_a_time();
    let bench = Bench::start(500.0, 100_000, &[]);
    let agent = watch(bench.victim.pid(), &[]);
    bench.venue.open_gate();
    std::thread::sleep(Duration::from_secs(1));
    agent.interrupt();
    let start = Instant::now();
    let outcome = agent.finish(END_LIMIT).expect("the agent ends");
    assert!(outcome.status.success(), "{}", outcome.status);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(
        outcome.messages.len() > 100,
        "{} messages in a second",
        outcome.messages.len()
    );
    bench.victim.signal(Signal::SIGKILL);
}

fn demonstrate(mode: Mode, seconds: u64) -> (demo::Summary, demo::AgentSummary) {
    let options = demo::DemoOptions {
        mode,
        seconds,
        ..demo::DemoOptions::default()
    };
    let summary = demo::run(&options, Some(&agent_binary()), |_| {}).expect("the demo runs");
    let agent = summary.agent.clone().expect("the agent's summary");
    assert_eq!(agent.inexact, 0);
    (summary, agent)
}

fn is_processor(row: &&Blamed) -> bool {
    row.comm.as_deref() == Some("processor")
}

/// The demo's processor holds the GIL, mostly in calls of a C encoder that do not yield; by time,
/// not by its waiter's wake-ups, which a timer does on top of whoever runs.
fn processor_is_blamed(incident: &demo::AgentSummary) {
    let share = (incident.charges).share("lock_wait", |row| is_processor(&row));
    assert!(share > 0.9, "{:?}", incident.blame);
}

/// Of the ingest thread's waits those that outlasted a request to let go are as many as by the
/// application's own log.
fn holds_are_told_from_hand_offs(summary: &demo::Summary, incident: &demo::AgentSummary) {
    let found = Waits::of(incident.charges.rows("lock_wait").filter(is_processor));
    let truth = &summary.account.gil;
    for share in truth.beside(&found) {
        assert!(share.holds(), "{share:?}: {found:?} beside {truth:?}");
    }
}

#[test]
fn bystanders_are_blamed_for_no_lock() {
    let _guard = one_at_a_time();
    // The ingest thread's timed waits are ended by a timer on top of whoever happens to run: some
    // only compute, some are in futex(2), as if they released a lock.
    let crowd = |cpu| -> Vec<Guarded> {
        let wakers = (0..2).map(|_| waker(cpu));
        (0..3).map(|_| rival(cpu)).chain(wakers).collect()
    };
    let (cpu, other) = cpu::pair().expect("two CPUs");
    let (near, far) = (crowd(cpu), crowd(other));
    let runners = Runners::of(&near, &[cpu]).expect("their accounts");
    let distant = Runners::of(&far, &[other]).expect("their accounts");
    let (summary, incident) = demonstrate(Mode::Thread, 8);
    processor_is_blamed(&incident);
    let blame = &incident.charges;
    let of_all = |row: &Blamed| runners.are(row) || distant.are(row);
    assert_eq!(blame.charged("lock_wait", of_all), 0, "{blame:?}");
    // For its CPU, which they had, they are.
    let ingest = summary.account.schedstat;
    let theirs = runners.share(ingest.on_cpu_ns).expect("/proc/stat");
    assert_eq!(blame.charged("run_queue", |row| distant.are(row)), 0);
    let waited = blame.rows("run_queue").filter(|row| runners.are(row));
    let waited: u64 = waited.map(|row| row.waits_ns).sum();
    // Each wait once: how many messages waited with it is chance. Where other programs had the CPU
    // for long, the bystanders may be among those that are not named.
    let alone = theirs > 0.8;
    let named: u64 = blame.rows("run_queue").map(|row| row.waits_ns).sum();
    assert!(
        !alone || waited as f64 > (theirs - 0.25) * named as f64,
        "{waited} of {named} ns blamed on them, who had {theirs} of the CPU: {blame:?}"
    );
    let ratio = waited as f64 / ingest.run_delay_ns as f64;
    let least = if alone { 0.4 } else { 0.0 };
    assert!(
        (least..1.05).contains(&ratio),
        "it waited {waited} ns for them, by the kernel's account {ingest:?}"
    );
}

#[test]
fn the_demo_tells_the_incident_from_the_cure() {
    let _guard = one_at_a_time();
    let (summary, incident) = demonstrate(Mode::Thread, 12);
    assert_eq!(incident.dominant.as_deref(), Some("lock_wait"));
    // What other load on the machine does to the two threads is run queue.
    let share = |part| incident.parts[part].share;
    assert!(
        share("lock_wait") >= 0.9 * (1.0 - share("run_queue")),
        "{:?}",
        incident.parts
    );
    processor_is_blamed(&incident);
    holds_are_told_from_hand_offs(&summary, &incident);
    let verdict = incident.verdict.as_ref().expect("a verdict");
    assert_eq!(verdict.causes[0], "starved_by_lock", "{verdict:?}");
    for words in ["the GIL", "of that by processor/", "long holds"] {
        assert!(verdict.sentence.contains(words), "{words}: {verdict:?}");
    }
    let share = verdict.sentence.split("held for ").nth(1);
    let share = share.and_then(|rest| rest.split('%').next());
    let share = share.and_then(|share| share.trim_start_matches('>').parse::<f64>().ok());
    assert!(share.is_some_and(|share| share > 90.0), "{verdict:?}");
    let grown = incident.age_last_ns - incident.age_first_ns;
    assert!(grown > 1_000_000_000, "the age grew by {grown} ns only");
    let age = summary.app_lag.p50_ns;
    let difference = incident.join.difference;
    assert!(
        incident.join.joined * 10 >= summary.handed_off * 9,
        "{:?}",
        incident.join
    );
    assert!(
        difference.p50_ns * 100 < age && difference.p99_ns * 10 < age,
        "{difference:?}, lag {age} ns"
    );

    let (summary, cure) = demonstrate(Mode::Process, 6);
    assert!(cure.parts["lock_wait"].share < 0.05, "{:?}", cure.parts);
    let verdict = cure.verdict.as_ref().expect("a verdict");
    assert_ne!(verdict.causes[0], "starved_by_lock", "{verdict:?}");
    // On a machine so busy that even the cure's messages are old they are not healthy.
    if summary.app_lag.p99_ns * 5 < HEALTHY_NS * 4 {
        assert_eq!(verdict.causes, ["healthy"], "{verdict:?}");
    }
    assert!(
        cure.age.p50_ns * 10 < incident.age.p50_ns,
        "{:?} beside {:?}",
        cure.age,
        incident.age
    );
    assert!(
        cure.join.joined * 10 >= summary.handed_off * 9,
        "{:?}",
        cure.join
    );
}
