//! How the agent ends: bad use, processes without FIX, interrupts.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use live::{Bench, END_LIMIT, agent_binary, one_at_a_time, watch};
use nix::sys::signal::Signal;
use workspace::child::Guarded;

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
    let note = outcome
        .stderr
        .iter()
        .any(|line| line.contains("no FIX session"));
    assert!(
        note,
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
