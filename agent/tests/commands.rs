//! The program as users call it: the help of every command, bad usage, replay and export of a
//! recording, and the commands in the documents. Golden files are in `snapshots/`.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use tag52::{
    domain::{
        HandOff, Matrix, Message, MessageAftermath, Moment, MsgType, Part, SentTime, SessionId,
        Sink as _, Split, Stage, Update,
    },
    recording::{Recorder, RecordingHeader},
};

/// 2023-11-14 22:13:20 UTC.
const UTC_NS: i64 = 1_700_000_000_000_000_000;

const SECOND_NS: i64 = 1_000_000_000;

/// Runs the program with the words, in `folder`, where names of files in them are short. Help is
/// as wide as a terminal of 100 columns has it.
fn tag52(folder: &Path, words: &[&str]) -> Output {
    tag52_on_terminal(folder, words, 100)
}

fn tag52_on_terminal(folder: &Path, words: &[&str], columns: usize) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tag52"))
        .args(words)
        .current_dir(folder)
        .env("COLUMNS", columns.to_string())
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What a user sees of a call: the command, its output, its errors and its exit code.
fn transcript(folder: &Path, words: &[&str]) -> String {
    let output = tag52(folder, words);
    let mut shown = format!("$ tag52 {}\n", words.join(" "));
    shown.push_str(&text(&output.stdout));
    shown.push_str(&text(&output.stderr));
    let code = output.status.code().expect("an exit code");
    if code != 0 {
        shown.push_str(&format!("[exit code {code}]\n"));
    }
    shown
}

fn at(ns: i64) -> Moment {
    Moment {
        monotonic_ns: ns.unsigned_abs(),
        utc_ns: UTC_NS + ns,
    }
}

/// A message handed off at `ns` that waited for a lock.
fn message(seq: u64, ns: i64, lock_wait_ns: i64) -> Message {
    let mut matrix = Matrix::default();
    matrix.add(Stage::InFlight, Part::Network, 300_000);
    matrix.add(Stage::Queued, Part::LockWait, lock_wait_ns);
    matrix.add(Stage::InApp, Part::OnCpu, 200_000);
    let age_ns = matrix.total();
    Message {
        session: Arc::new(SessionId {
            sender: "VENUE".to_owned(),
            target: "DROP".to_owned(),
            local: ([127, 0, 0, 1], 5002).into(),
            remote: ([127, 0, 0, 1], 40112).into(),
            pid: 411,
        }),
        tid: 412,
        seq,
        msg_type: MsgType::new(b"8").expect("8 is a message type"),
        bytes: 250,
        poss_dup: false,
        sent: SentTime {
            utc_ns: UTC_NS + ns - age_ns,
            resolution_ns: 1_000_000,
        },
        sent_between: None,
        arrived_ns: Some(UTC_NS + ns - 200_000 - lock_wait_ns),
        received_ns: UTC_NS + ns - 200_000,
        handed_off_ns: UTC_NS + ns,
        handed_off_at: ns.unsigned_abs(),
        held_back_from: 0,
        hand_off: HandOff::Wait,
        ack_pending_ns: 0,
        split: Split::new(age_ns, matrix).expect("the age is the sum"),
        charges: Vec::new(),
        aftermath: MessageAftermath::default(),
    }
}

/// A folder with a recording of three seconds, `drop.tag52`, and a file that is none, `notes.txt`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("drop.tag52");
    let header = RecordingHeader::new("pid 411", at(0), Duration::from_mins(2));
    let mut recorder = Recorder::start(&path, 64 << 20, header).expect("a recording");
    let mut seq = 0;
    for second in 0..3_i64 {
        for n in 0..20_i64 {
            let ns = second * SECOND_NS + n * SECOND_NS / 20;
            seq += 1;
            let update = Update::Message(Box::new(message(seq, ns, (second + 1) * 30_000_000)));
            recorder.publish(at(ns), update);
        }
        recorder.publish(at((second + 1) * SECOND_NS), Update::IntervalEnded);
    }
    recorder.close().expect("written");
    fs::write(folder.path().join("notes.txt"), "not a recording\n").expect("a file");
    folder
}

#[test]
fn help_of_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = |words: &[&str]| text(&tag52(folder.path(), words).stdout);
    insta::assert_snapshot!("help", help(&["--help"]));
    for command in ["run", "top", "record", "replay", "export"] {
        insta::assert_snapshot!(format!("help_{command}"), help(&[command, "--help"]));
    }
}

#[test]
fn help_is_as_wide_as_the_terminal_up_to_100_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    let widest = |command: &str, columns| {
        let output = tag52_on_terminal(folder.path(), &[command, "--help"], columns);
        let help = text(&output.stdout);
        let widths = help.lines().map(|line| line.trim_end().chars().count());
        widths.max().expect("lines")
    };
    for (columns, most) in [(72, 72), (100, 100), (240, 100)] {
        for command in ["run", "top", "record", "replay", "export"] {
            let widest = widest(command, columns);
            assert!(widest <= most, "{command} on {columns} columns: {widest}");
        }
        assert!(widest("run", columns) > most - 15, "{columns} columns");
    }
}

#[test]
fn bad_usage_says_what_to_write() {
    let folder = folder();
    let calls: &[&[&str]] = &[
        &["run"],
        &["run", "--pid", "0"],
        &["run", "--pid", "411", "--all"],
        &["run", "--pid", "411", "--comm", "oms"],
        &["run", "--comm", "oms"],
        &[
            "record",
            "--pid",
            "411",
            "-o",
            "f",
            "--cgroup",
            "*",
            "--namespace",
            "fx",
        ],
        &["run", "--pid", "411", "--interval", "1ms"],
        &["run", "--pid", "411", "--interval", "soon"],
        &["run", "--pid", "4194305"],
        &["run", "--all", "--cmdline", "(oms"],
        &["run", "--all", "--pod-selector", "app=oms,("],
        &["run", "--pid", "411", "--json", "csv"],
        &["run", "--pid", "411", "--max-series", "10"],
        &["run", "--pid", "411", "--handoff", ""],
        &["run", "--pid", "411", "--listen", "9752"],
        &["record", "--pid", "411"],
        &["record", "--pid", "411", "-o", "f", "--max-size", "1MiB"],
        &["top", "--pid", "411"],
        &["replay", "missing.tag52"],
        &["replay", "notes.txt"],
        &["replay", "drop.tag52", "--top"],
        &["replay", "drop.tag52", "--speed", "fast"],
        &["export", "drop.tag52"],
        &["export", "missing.tag52", "--perfetto", "trace.pftrace"],
        &[
            "export",
            "drop.tag52",
            "--perfetto",
            "missing/trace.pftrace",
        ],
        &["watch"],
    ];
    let each: Vec<_> = calls
        .iter()
        .map(|words| transcript(folder.path(), words))
        .collect();
    insta::assert_snapshot!(each.join("\n"));
}

#[test]
fn a_recording_is_replayed_and_exported() {
    let folder = folder();
    let show = |words: &[&str]| transcript(folder.path(), words);
    insta::assert_snapshot!("replay", show(&["replay", "drop.tag52"]));
    insta::assert_snapshot!(
        "replay_interval",
        show(&[
            "replay",
            "drop.tag52",
            "--interval",
            "3s",
            "--log-level",
            "error"
        ])
    );
    let json = tag52(
        folder.path(),
        &["replay", "drop.tag52", "--json", "messages"],
    );
    assert_eq!(text(&json.stdout).lines().count(), 61);
    insta::assert_snapshot!(
        "export",
        show(&["export", "drop.tag52", "--perfetto", "trace.pftrace"])
    );
}

/// The commands of this program in the `sh` blocks of a document, without comments.
fn documented(path: &Path) -> Vec<Vec<String>> {
    let document = fs::read_to_string(path).expect("a document");
    let blocks = document.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("\n```").next().unwrap_or("").lines());
    lines
        .filter_map(|line| {
            let line = line.split(" #").next().unwrap_or("").trim();
            let line = line.strip_prefix("sudo ").unwrap_or(line);
            let words = line
                .strip_prefix("tag52 ")
                .or_else(|| line.strip_prefix("target/release/tag52 "))?;
            let words = words.split('|').next().unwrap_or("");
            let plain = |word: &str| word.trim_matches(['\'', '"']).to_owned();
            Some(words.split_whitespace().map(plain).collect())
        })
        .collect()
}

#[test]
fn the_commands_in_the_documents_are_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = fs::read_dir(root.join("docs")).expect("a folder");
    let mut paths: Vec<_> = pages
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.push(root.join("README.md"));
    let folder = folder();
    let mut commands = 0;
    for path in paths {
        for words in documented(&path) {
            commands += 1;
            let mut words: Vec<&str> = words
                .iter()
                .map(|word| match word.as_str() {
                    "FILE" => "drop.tag52",
                    "PID" => "4711",
                    word => word,
                })
                .collect();
            // What needs root, a process or a terminal is only parsed.
            let runs = matches!(words.first(), Some(&("replay" | "export")))
                && !words
                    .iter()
                    .any(|word| matches!(*word, "--top" | "--listen"));
            if !runs {
                words.push("--help");
            }
            let output = tag52(folder.path(), &words);
            assert!(
                output.status.success(),
                "{}: tag52 {}:\n{}",
                path.display(),
                words.join(" "),
                text(&output.stderr)
            );
        }
    }
    assert!(commands >= 12, "only {commands} commands were found");
}
