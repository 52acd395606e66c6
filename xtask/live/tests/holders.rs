//! Live: what the holder of a lock was doing while the ingest thread waited for it.

use std::path::Path;

use lab::bench;
use lab::gil::{GilSetup, Rival};
use lab::{cpu, venue};
use live::{Bench, Recording, one_at_a_time};
use serde_json::Value;

/// A recording, for what it says of holders.
struct Watched(Recording);

impl Watched {
    /// Watches the victim to its end.
    fn of(bench: bench::Bench, more: &[&str]) -> Self {
        let arguments = [&["--json", "intervals", "--interval", "500ms"], more].concat();
        let recording = Recording::of(bench, &arguments);
        assert!(recording.status.success(), "{}", recording.notes);
        Self(recording)
    }

    fn summary(&self) -> Value {
        let last = self.0.live.lines().last().expect("a line");
        serde_json::from_str(last).expect("JSON")
    }

    /// The row of lock-wait that is charged most.
    fn holder(&self) -> Value {
        let summary = self.summary();
        let rows = summary["sessions"][0]["blame"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["part"] == "lock_wait");
        row.unwrap_or_else(|| panic!("{summary}")).clone()
    }
}

/// How many samples `is` is true for, of how many. They sum to what the row says.
fn samples(row: &Value, is: impl Fn(&Value) -> bool) -> (u64, u64) {
    let count = |row: &Value| row["samples"].as_u64().expect("a number");
    let doing = row["doing"].as_array().unwrap_or_else(|| panic!("{row}"));
    let all: u64 = doing.iter().map(count).sum();
    assert_eq!(all, count(row), "{row}");
    (doing.iter().filter(|d| is(d)).map(count).sum(), all)
}

/// `lab/gil_victim.py:LINE` of a method of the rival's.
fn place_of(method: &str) -> String {
    let script = workspace::root().join("xtask/lab/gil_victim.py");
    let text = std::fs::read_to_string(script).expect("a file");
    let line = format!("    def {method}(self):");
    let rival = text
        .lines()
        .position(|l| l == "class Rival(threading.Thread):");
    let rival = rival.expect("the class");
    let below = text.lines().skip(rival).position(|l| l == line);
    format!(
        "lab/gil_victim.py:{}",
        rival + below.expect("the method") + 1
    )
}

/// The set is to live as long as the victim.
fn python_victim(rival: Rival) -> (GilSetup, bench::Bench) {
    let set = GilSetup::prepare(Path::new("python3")).expect("CPython and a C compiler");
    let options = venue::VenueOptions {
        cpu: cpu::pair().map(|(ingest, _)| ingest),
        ..venue::VenueOptions::of(45.0, 200)
    };
    let bench = set.bench(options, rival, 5_000).expect("a victim");
    (set, bench)
}

#[test]
fn the_function_is_the_one_that_holds_the_gil() {
    let _guard = one_at_a_time();
    let calls = Rival::Calls {
        hold_us: 25_000,
        gap_us: 5_000,
    };
    for (rival, method) in [(calls, "call"), (Rival::Bytecode, "compute")] {
        let (_set, bench) = python_victim(rival);
        let watched = Watched::of(bench, &[]);
        let row = watched.holder();
        println!("{row} {}", watched.summary()["health"]["anomalies"]);
        assert_eq!(row["comm"], "rival", "{row}");
        let (name, place) = (format!("Rival.{method}"), place_of(method));
        let (its, all) = samples(&row, |doing| {
            doing["function"] == name.as_str() && doing["place"] == place.as_str()
        });
        // A sample every few milliseconds of waiting, fewer on a busy machine.
        let waited_ms = row["waits_ns"].as_u64().expect("a number") / 1_000_000;
        assert!(
            all >= 20 && all >= waited_ms / 200,
            "{all} in {waited_ms} ms"
        );
        assert!(its * 10 >= all * 9, "{row}");
        // It runs, or would: it never sleeps while it has the GIL.
        let (ready, _) = samples(&row, |doing| {
            doing["state"] == "on_cpu" || doing["state"] == "run_queue"
        });
        assert!(ready * 10 >= all * 9, "{row}");
        assert!(
            watched.0.live == watched.0.replay("intervals"),
            "replayed differently"
        );
    }
}

#[test]
fn a_holder_that_sleeps_is_sampled_asleep() {
    let _guard = one_at_a_time();
    let victim = ["--inject", "mutex", "--hold-us", "8000", "--gap-us", "500"];
    let bench = Bench::start(100.0, 300, &victim).0;
    let row = Watched::of(bench, &[]).holder();
    println!("{row}");
    assert_eq!(row["comm"], "rival", "{row}");
    let asleep = |doing: &Value| {
        let call = doing["call"].as_str().unwrap_or_default();
        doing["state"] == "blocked" && call.ends_with("nanosleep")
    };
    let (asleep, all) = samples(&row, asleep);
    assert!(all >= 20, "{row}");
    assert!(asleep * 10 >= all * 9, "{row}");
}

#[test]
fn without_stacks_no_holder_is_sampled() {
    let _guard = one_at_a_time();
    let (_set, bench) = python_victim(Rival::Bytecode);
    let watched = Watched::of(bench, &["--no-stacks"]);
    let row = watched.holder();
    assert_eq!(row["comm"], "rival", "{row}");
    assert!(!watched.0.live.contains("\"doing\""), "{row}");
    let health = &watched.summary()["health"];
    let functions = &health["capabilities"]["functions of holders"];
    assert_eq!(functions["absent"], "--no-stacks", "{health}");
    // The threads that release locks are not even tracked, so there is nothing to count.
    assert_eq!(health["anomalies"].get("holder_unknown"), None, "{health}");
}
