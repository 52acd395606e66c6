//! `tag52 top` on a real terminal.

use std::process::{Command, Stdio};
use std::time::Duration;

use lab::tmux::Tmux;
use nix::sys::signal::Signal;

use live::{Bench, agent_binary, one_at_a_time};

const SOON: Duration = Duration::from_secs(15);

fn shown(terminal: &Tmux, all: &[&str]) -> String {
    terminal.wait_for(all, SOON).expect("to be shown")
}

fn press(terminal: &Tmux, key: &str) {
    terminal.key(key).expect("pressed");
}

/// Whether anything is in another colour than the terminal's own (ECMA-48, SGR 30 to 48 and 90 to
/// 107).
fn coloured(terminal: &Tmux) -> bool {
    let text = terminal.coloured().expect("shown");
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
    let modes = shown(terminal, &["icanon", "echo"]);
    let raw = ["-icanon", "-isig", "-echo ", "-opost", "-icrnl"];
    let left: Vec<_> = raw.iter().filter(|mode| modes.contains(**mode)).collect();
    assert!(left.is_empty(), "{left:?} in\n{modes}");
}

/// A victim whose messages are some 20 ms old: a mutex is held that long.
const HELD: [&str; 6] = [
    "--inject",
    "mutex",
    "--hold-us",
    "20000",
    "--gap-us",
    "5000",
];

/// Ends it with a key; gives what is then to be read on the shell's own screen.
fn left(terminal: &Tmux, key: &str) -> String {
    press(terminal, key);
    shown(terminal, &["exit 0"]);
    let all = terminal.scrollback().expect("shown");
    assert!(!all.contains("[1 sessions]"), "{all}");
    all
}

#[test]
fn top_shows_pages_survives_its_target_and_gives_the_terminal_back() {
    let _guard = one_at_a_time();
    let binary = agent_binary();
    let bench = Bench::start(50.0, 20_000, &HELD);
    let pid = bench.victim.pid();
    let terminal = Tmux::start(80, 24, &[("NO_COLOR", "1")]).expect("a terminal");
    let line = format!("{} top --pid {pid}; echo \"exit $?\"", binary.display());
    terminal.line(&line).expect("typed");
    shown(
        &terminal,
        &["[1 sessions]", "no FIX session observed yet", "q quit"],
    );
    bench.venue.open_gate();
    let ids = format!("{pid}/");
    let verdict = "1 of 1  starved-by-lock";
    shown(
        &terminal,
        &[
            "> VENUE>DROP",
            &ids,
            verdict,
            "LLL",
            "held for",
            "What if: ",
        ],
    );
    assert!(!coloured(&terminal));
    press(&terminal, "Enter");
    // Who is charged, and how much: the mutex is a futex, its holder the victim's other thread.
    let page = shown(
        &terminal,
        &[
            "[2 session]",
            "mean, now",
            "L lock-wait",
            "WAITED",
            "held by",
        ],
    );
    let row = page.lines().find(|line| line.starts_with("lock-wait "));
    let row = row.unwrap_or_else(|| panic!("nobody is blamed:\n{page}"));
    assert!(row.contains(", held by "), "{page}");
    press(&terminal, "t");
    shown(&terminal, &["since start", "mean, all"]);
    press(&terminal, "t");
    press(&terminal, "3");
    let reader = format!("> {pid}");
    let threads = shown(&terminal, &["[3 threads]", "of pid", "BLAMED", &reader]);
    // The holder is the one that is blamed.
    let blamed = threads
        .lines()
        .filter(|line| !line.contains(&reader) && line.contains('%'));
    let blamed: Vec<_> = blamed
        .filter(|line| {
            line.split_whitespace()
                .nth(2)
                .is_some_and(|word| word.ends_with('%'))
        })
        .collect();
    assert_eq!(blamed.len(), 1, "{threads}");
    press(&terminal, "Tab");
    shown(
        &terminal,
        &["[4 cgroup]", "messages are", "CPU: ", "no events lost"],
    );
    press(&terminal, "?");
    shown(
        &terminal,
        &["select a session", "What-if replays the queue"],
    );
    press(&terminal, "Escape");
    press(&terminal, "Escape");
    shown(&terminal, &["[1 sessions]"]);
    terminal.resize(140, 40).expect("resized");
    shown(&terminal, &["CAUSE", "starved-by-lock: ", "HANDOVERS"]);
    terminal.resize(60, 20).expect("resized");
    shown(&terminal, &["60x20 is too small"]);
    terminal.resize(100, 30).expect("resized");
    shown(&terminal, &["> VENUE>DROP"]);
    press(&terminal, "p");
    let paused = |text: &str| text.lines().next().map(str::to_owned);
    let still = paused(&shown(&terminal, &["paused"]));
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(paused(&terminal.text().expect("shown")), still);
    press(&terminal, "p");
    bench.victim.signal(Signal::SIGKILL);
    let last = shown(&terminal, &["  ended", "VENUE>DROP", verdict]);
    assert!(!last.contains("exit "), "{last}");
    let all = left(&terminal, "q");
    let summary = format!("tag52 summary: pid {pid} watched for");
    assert!(all.contains(&summary), "{all}");
    let ended = format!("tag52: pid {pid} has ended");
    assert!(
        all.contains(&ended),
        "held back and shown at the end: {all}"
    );
    restored(&terminal);
}

#[test]
fn a_recording_is_played_in_the_same_view() {
    let _guard = one_at_a_time();
    let binary = agent_binary();
    let binary = binary.display();
    let folder = tempfile::tempdir().expect("a folder");
    let recording = folder.path().join("r");
    let recording = recording.display();
    let bench = Bench::start(50.0, 20_000, &HELD);
    let pid = bench.victim.pid();
    let terminal = Tmux::start(80, 24, &[("NO_COLOR", "1")]).expect("a terminal");
    let line = format!("{binary} record -o {recording} --top --pid {pid}; echo \"exit $?\"");
    terminal.line(&line).expect("typed");
    shown(&terminal, &["[1 sessions]"]);
    bench.venue.open_gate();
    shown(&terminal, &["> VENUE>DROP", "starved-by-lock"]);
    std::thread::sleep(Duration::from_secs(5));
    let all = left(&terminal, "q");
    assert!(all.contains("tag52: recorded "), "{all}");
    drop(bench);

    terminal.line("clear").expect("typed");
    let line = format!("{binary} replay {recording} --top; echo \"exit $?\"");
    terminal.line(&line).expect("typed");
    let pid = format!("pid {pid} ");
    shown(&terminal, &["tag52 replay", &pid, " UTC", "1x  ", "s of "]);
    press(&terminal, "Space");
    shown(&terminal, &["paused  "]);
    press(&terminal, "End");
    // The last interval is cut short: its figures are chance, those since the start are not.
    press(&terminal, "t");
    shown(
        &terminal,
        &["end  ", "> VENUE>DROP", "starved-by-lock", "held for"],
    );
    press(&terminal, "2");
    shown(&terminal, &["[2 session]", "mean, all", "held by"]);
    press(&terminal, "3");
    shown(&terminal, &["[3 threads]", "BLAMED", "lock-wait"]);
    press(&terminal, "4");
    shown(&terminal, &["[4 cgroup]", "messages are"]);
    press(&terminal, "1");
    // It stays at the end until it is sent elsewhere.
    std::thread::sleep(Duration::from_millis(1500));
    shown(&terminal, &["end  "]);
    press(&terminal, "Home");
    let at = |text: &str| text.lines().next().map(str::to_owned);
    let beginning = at(&shown(&terminal, &["paused  "]));
    // An interval at a time.
    press(&terminal, "n");
    std::thread::sleep(Duration::from_millis(700));
    let one = at(&shown(&terminal, &["paused  "]));
    assert_ne!(one, beginning);
    press(&terminal, "n");
    std::thread::sleep(Duration::from_millis(700));
    let two = at(&shown(&terminal, &["paused  "]));
    assert_ne!(two, one);
    press(&terminal, "Left");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(at(&shown(&terminal, &["paused  "])), beginning);
    for _ in 0..3 {
        press(&terminal, "+");
    }
    press(&terminal, "Space");
    shown(&terminal, &["10x  "]);
    shown(&terminal, &["end  ", "starved-by-lock"]);
    let all = left(&terminal, "q");
    assert!(all.contains("tag52 summary: pid"), "{all}");
    restored(&terminal);
}

#[test]
fn a_panic_gives_the_terminal_back() {
    let _guard = one_at_a_time();
    let binary = agent_binary();
    let bench = Bench::start(100.0, 20_000, &["--inject", "none"]);
    bench.venue.open_gate();
    let pid = bench.victim.pid();
    for (place, exit) in [("drawing", "exit 1"), ("watching", "exit 101")] {
        let terminal = Tmux::start(80, 24, &[]).expect("a terminal");
        let top = format!(
            "{} top --pid {pid} --simulate-panic {place}",
            binary.display()
        );
        terminal
            .line(&format!("{top}; echo \"exit $?\""))
            .expect("typed");
        shown(&terminal, &[exit]);
        let all = terminal.scrollback().expect("shown");
        assert!(all.contains("a panic was asked for"), "{all}");
        restored(&terminal);
    }
}

#[test]
fn the_demo_opens_the_view_and_ends_with_the_verdict() {
    let _guard = one_at_a_time();
    let agent = agent_binary();
    let terminal = Tmux::start(100, 30, &[("NO_COLOR", "1")]).expect("a terminal");
    let line = format!(
        "{} --agent {} --seconds 8; echo \"exit $?\"",
        workspace::program("demo").expect("the demo").display(),
        agent.display()
    );
    terminal.line(&line).expect("typed");
    terminal
        .wait_for(
            &[
                "[1 sessions]",
                "> VENUE>DROP",
                "starved-by-lock",
                "processor/",
            ],
            Duration::from_secs(40),
        )
        .expect("the view");
    terminal
        .wait_for(&["exit 0"], Duration::from_secs(40))
        .expect("the end");
    let all = terminal.scrollback().expect("shown");
    for what in [
        "tag52 summary",
        "Verdict: starved-by-lock",
        "joined by MsgSeqNum",
    ] {
        assert!(all.contains(what), "{what} is missing:\n{all}");
    }
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
    shown(&terminal, &["[1 sessions]"]);
    bench.venue.open_gate();
    shown(&terminal, &["> VENUE>DROP", "\u{2588} network"]);
    assert!(coloured(&terminal));
    shown(&terminal, &["exit 0"]);
    let all = terminal.scrollback().expect("shown");
    assert!(all.contains("tag52 summary:"), "{all}");
    restored(&terminal);
    terminal
        .line(&format!("{top}; echo \"exit $?\""))
        .expect("typed");
    shown(&terminal, &["[1 sessions]"]);
    press(&terminal, "C-c");
    shown(&terminal, &["exit 0"]);
    restored(&terminal);
}

#[test]
fn the_view_needs_a_terminal() {
    let pid = std::process::id().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let none = folder.path().join("none").display().to_string();
    for arguments in [
        &["top", "--pid", &pid][..],
        &["record", "-o", &none, "--top", "--pid", &pid],
        &["replay", &none, "--top"],
    ] {
        let output = Command::new(agent_binary())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("standard output is not one"), "{stderr}");
    }
}
