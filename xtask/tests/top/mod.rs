//! `tag52 top` on a real terminal.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use xtask::lab::tmux::Tmux;

use crate::common::{Bench, agent_binary, one_at_a_time};

const SOON: Duration = Duration::from_secs(15);

fn seen(terminal: &Tmux, all: &[&str]) -> String {
    terminal.wait_for(all, SOON).expect("to be seen")
}

fn press(terminal: &Tmux, key: &str) {
    terminal.key(key).expect("pressed");
}

/// Whether anything is in another colour than the terminal's own (ECMA-48, SGR 30 to 48 and 90 to 107).
fn coloured(terminal: &Tmux) -> bool {
    let text = terminal.coloured().expect("seen");
    let sequences = text.split("\x1b[").skip(1);
    sequences
        .filter_map(|rest| rest.split_once('m'))
        .any(|(codes, _)| {
            let mut codes = codes.split(';').filter_map(|code| code.parse().ok());
            codes.any(|code: u8| matches!(code, 30..=38 | 40..=48 | 90..=107))
        })
}

/// The shell has its terminal back as it was: its own screen, a cursor, lines and an echo.
fn restored(terminal: &Tmux) {
    let modes = terminal.ask("#{alternate_on} #{cursor_flag}");
    assert_eq!(modes.expect("answered"), "0 1");
    terminal.line("clear; stty -a").expect("typed");
    let modes = seen(terminal, &["icanon", "echo"]);
    let raw = ["-icanon", "-isig", "-echo ", "-opost", "-icrnl"];
    let left: Vec<_> = raw.iter().filter(|mode| modes.contains(**mode)).collect();
    assert!(left.is_empty(), "{left:?} in\n{modes}");
}

#[test]
fn top_shows_pages_survives_its_target_and_gives_the_terminal_back() {
    let _guard = one_at_a_time();
    let binary = agent_binary();
    let victim = ["--inject", "mutex", "--hold-us", "5000", "--gap-us", "1000"];
    let bench = Bench::start(100.0, 20_000, &victim);
    let pid = bench.victim.pid();
    let terminal = Tmux::start(80, 24, &[("NO_COLOR", "1")]).expect("a terminal");
    let line = format!("{} top --pid {pid}; echo \"exit $?\"", binary.display());
    terminal.line(&line).expect("typed");
    seen(
        &terminal,
        &["[1 sessions]", "no FIX session seen yet", "q quit"],
    );
    bench.venue.open_gate();
    let ids = format!("{pid}/");
    seen(
        &terminal,
        &["> VENUE>DROP", &ids, "1 of 1: lock-wait", "LLL"],
    );
    assert!(!coloured(&terminal));
    press(&terminal, "Enter");
    seen(&terminal, &["[2 session]", "per message", "lock-wait"]);
    press(&terminal, "3");
    let reader = format!("> {pid}");
    seen(&terminal, &["[3 threads]", "of pid", &reader]);
    press(&terminal, "Tab");
    seen(&terminal, &["[4 cgroup]", "age p50", "no events lost"]);
    press(&terminal, "Escape");
    seen(&terminal, &["[1 sessions]"]);
    terminal.resize(140, 40).expect("resized");
    seen(&terminal, &["CAUSE"]);
    terminal.resize(60, 20).expect("resized");
    seen(&terminal, &["60x20 is too small"]);
    terminal.resize(100, 30).expect("resized");
    seen(&terminal, &["> VENUE>DROP"]);
    press(&terminal, "p");
    let paused = |text: &str| text.lines().next().map(str::to_owned);
    let still = paused(&seen(&terminal, &["paused"]));
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(paused(&terminal.text().expect("seen")), still);
    press(&terminal, "p");
    bench.victim.signal(Signal::SIGKILL);
    let last = seen(&terminal, &["  ended", "VENUE>DROP", "1 of 1: lock-wait"]);
    assert!(!last.contains("exit "), "{last}");
    press(&terminal, "q");
    seen(&terminal, &["exit 0"]);
    let all = terminal.scrollback().expect("seen");
    let summary = format!("tag52 summary: pid {pid} watched for");
    assert!(all.contains(&summary), "{all}");
    let ended = format!("tag52: pid {pid} has ended");
    assert!(all.contains(&ended), "kept back and told at the end: {all}");
    assert!(!all.contains("[1 sessions]"), "{all}");
    restored(&terminal);
}

#[test]
fn top_ends_on_signals_and_gives_the_terminal_back() {
    let _guard = one_at_a_time();
    let binary = agent_binary();
    let bench = Bench::start(100.0, 20_000, &["--inject", "none"]);
    let terminal = Tmux::start(80, 24, &[("NO_COLOR", "")]).expect("a terminal");
    let top = format!("{} top --pid {}", binary.display(), bench.victim.pid());
    let limited = format!("timeout --foreground --preserve-status 12 {top}; echo \"exit $?\"");
    terminal.line(&limited).expect("typed");
    seen(&terminal, &["[1 sessions]"]);
    bench.venue.open_gate();
    seen(&terminal, &["> VENUE>DROP", "\u{2588} network"]);
    assert!(coloured(&terminal));
    seen(&terminal, &["exit 0"]);
    let all = terminal.scrollback().expect("seen");
    assert!(all.contains("tag52 summary:"), "{all}");
    restored(&terminal);
    terminal
        .line(&format!("{top}; echo \"exit $?\""))
        .expect("typed");
    seen(&terminal, &["[1 sessions]"]);
    press(&terminal, "C-c");
    seen(&terminal, &["exit 0"]);
    restored(&terminal);
}

#[test]
fn top_needs_a_terminal() {
    let output = Command::new(agent_binary())
        .args(["top", "--pid", &std::process::id().to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("standard output is none"), "{told}");
}
