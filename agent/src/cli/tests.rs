//! The command line as users type it.

use std::time::Duration;

use clap::Parser as _;
use tag52::{engine::ClockStep, outputs::MAX_SERIES, recording::replay::PlaybackSpeed as Speed};

use super::{
    Cli, Command,
    values::{clock_step, duration, size, speed},
};

#[test]
fn times() {
    assert_eq!(duration("1s"), Ok(Duration::from_secs(1)));
    assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
    for bad in ["", "0s", "1ms", "-1s", "soon", "1 day", "nan", "1e99h"] {
        assert!(duration(bad).is_err(), "{bad}");
    }
}

#[test]
fn steps_of_the_clock() {
    let step = |after_ms, by_ns| {
        Ok(ClockStep {
            after: Duration::from_millis(after_ms),
            by_ns,
        })
    };
    assert_eq!(clock_step("3s:-2s"), step(3_000, -2_000_000_000));
    assert_eq!(clock_step("500ms:250ms"), step(500, 250_000_000));
    for bad in ["", "3s", "3s:", ":1s", "-1s:1s", "1s:--1s", "1s:1d"] {
        assert!(clock_step(bad).is_err(), "{bad}");
    }
}

#[test]
fn sizes_and_speeds() {
    assert_eq!(size("256MiB"), Ok(256 << 20));
    assert_eq!(size("2G"), Ok(2 << 30));
    for bad in ["", "1", "1MiB", "-4MiB", "4 MiB", "99999999999GiB", "4MB"] {
        assert!(size(bad).is_err(), "{bad}");
    }
    assert_eq!(speed("max"), Ok(Speed::Max));
    assert_eq!(speed("0.5"), Ok(Speed::Times(0.5)));
    for bad in ["", "0", "-1", "nan", "inf", "fast"] {
        assert!(speed(bad).is_err(), "{bad}");
    }
}

#[test]
fn record_takes_what_run_takes() {
    let words = ["tag52", "record", "-o", "f", "--pid", "7", "--port", "5"];
    let cli = Cli::try_parse_from(words).expect("valid");
    let Command::Record(record) = cli.command else {
        panic!("record");
    };
    assert_eq!(
        (record.run.watch.port, record.max_size),
        (Some(5), 256 << 20)
    );
}

#[test]
fn processes_are_given_in_either_way() {
    let pids = |words: &[&str]| {
        let words = ["tag52", "run"].iter().chain(words);
        Cli::try_parse_from(words).map(|cli| {
            let watch = match cli.command {
                Command::Run(run) => run.watch,
                Command::Top(top) => top.watch,
                _ => panic!("neither"),
            };
            watch.pids.iter().map(|pid| pid.get()).collect::<Vec<_>>()
        })
    };
    assert_eq!(
        pids(&["--pid", "7", "--pid", "8,9"]).expect("valid"),
        [7, 8, 9]
    );
    for bad in [
        &[][..],
        &["--pid", "0"],
        &["--pid", "7,"],
        &["--pid", "7,x"],
    ] {
        assert!(pids(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn top_watches_as_run_does_and_prints_no_lines() {
    let words = |more: &[&str]| {
        let words = ["tag52", "top", "--pid", "7", "--interval", "2s"];
        Cli::try_parse_from(words.iter().chain(more))
    };
    let Ok(Command::Top(top)) = words(&["--port", "5001"]).map(|cli| cli.command) else {
        panic!("no top");
    };
    assert_eq!(top.watch.interval, Duration::from_secs(2));
    assert_eq!(top.watch.port, Some(5001));
    assert!(words(&["--json", "messages"]).is_err());
}

#[test]
fn metrics_go_where_they_are_asked_for() {
    let telemetry = |more: &[&str]| {
        let words = ["tag52", "run", "--pid", "7"];
        let cli = Cli::try_parse_from(words.iter().chain(more));
        cli.map(|cli| match cli.command {
            Command::Run(run) => run.watch.telemetry,
            _ => panic!("no run"),
        })
    };
    let usual = telemetry(&[]).expect("valid");
    assert_eq!((usual.otlp, usual.max_series), (None, MAX_SERIES));
    let asked = telemetry(&["--otlp", "--otlp-interval", "5s"]).expect("valid");
    assert_eq!(asked.otlp.as_deref(), Some(""));
    assert_eq!(asked.otlp_interval, Duration::from_secs(5));
    let asked = telemetry(&["--otlp", "http://c:4318"]).expect("valid");
    assert_eq!(asked.otlp.as_deref(), Some("http://c:4318"));
    for bad in [
        &["--max-series", "10"][..],
        &["--max-series", "x"],
        &["--otlp-interval", "5s"],
    ] {
        assert!(telemetry(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}
