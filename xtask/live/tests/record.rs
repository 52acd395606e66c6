//! Live: what is recorded is told again as it was, and holds no message bodies.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use live::{Bench, agent_binary, one_at_a_time};
use tempfile::TempDir;
use workspace::child::Guarded;

/// Watches a victim with `tag52 record`, its output in files of the folder.
fn record(folder: &TempDir, bench: Bench, json: &str) -> ExitStatus {
    let path = |name: &str| folder.path().join(name);
    let mut command = Command::new(agent_binary());
    command
        .args(["record", "--pid", &bench.victim.pid().to_string()])
        .args(["--json", json, "--interval", "200ms", "-o"])
        .arg(path("recording"))
        .stdin(Stdio::null())
        .stdout(File::create(path("live")).expect("a file"))
        .stderr(File::create(path("notes")).expect("a file"));
    let mut agent = Guarded::spawn(&mut command, "the agent").expect("the agent starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !read(&path("notes")).contains("watching pid") {
        assert!(Instant::now() < deadline, "{}", read(&path("notes")));
        std::thread::sleep(Duration::from_millis(5));
    }
    bench.finish();
    agent.wait(Duration::from_secs(15)).expect("it ends")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

fn replay(folder: &TempDir, json: &str) -> String {
    let output = Command::new(agent_binary())
        .args(["replay", "--json", json])
        .arg(folder.path().join("recording"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_replay_tells_what_the_watch_told() {
    let _guard = one_at_a_time();
    for json in ["messages", "intervals"] {
        let folder = tempfile::tempdir().expect("a folder");
        let victim = ["--inject", "mutex", "--hold-us", "3000", "--gap-us", "2000"];
        let status = record(&folder, Bench::start(1000.0, 2000, &victim), json);
        let notes = read(&folder.path().join("notes"));
        assert!(status.success(), "{notes}");
        println!("{notes}");
        let live = read(&folder.path().join("live"));
        let lines = live.lines().count();
        assert!(lines > if json == "messages" { 2000 } else { 5 }, "{lines}");
        for (live, again) in live.lines().zip(replay(&folder, json).lines()) {
            assert_eq!(live, again);
        }
        assert!(live == replay(&folder, json), "a line is missing");

        // Values of tags 37, 55 and 58, which are in every message of the venue's.
        let recording = fs::read(folder.path().join("recording")).expect("a file");
        for body in [&b"ORD0"[..], b"ESZ6", b"ACC-0042"] {
            let found = recording.windows(body.len()).any(|bytes| bytes == body);
            assert!(!found, "{body:?}");
        }
        // Packed bytes could hide them; what is told again is all there is.
        for body in ["ORD0", "ESZ6", "ACC-0042"] {
            assert!(!live.contains(body), "{body}");
        }
    }
}
