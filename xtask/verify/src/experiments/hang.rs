//! Hang: a handler that does not come back for seconds, compared while it lasts.

mod rows;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use self::rows::HangRun;
use crate::observe::{self, attach_with};
use crate::{Context, Experiment, ResultRow};
use lab::agent::{AgentProcess, WaitingLine};
use lab::bench::{Bench, BenchTruth};
use lab::cgroup::Cgroup;
use lab::database::Database;
use lab::{clock, cpu, process, venue};

pub(super) const HANG: Experiment = Experiment {
    name: "hang",
    about: "a handler that hangs for 3 s: in a database, a pipe, a lock, a deadlock, stopped, with \
            1 % of a CPU; compared while it lasts",
    run: hang,
};

const RATE: f64 = 200.0;
/// Messages that are handled before the one that hangs.
const BEFORE: u64 = 40;
const PERIOD: Duration = Duration::from_millis(100);

/// What hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HangCause {
    Database,
    Pipe,
    Lock,
    Deadlock,
    Stopped,
    StoppedInReceive,
    Throttled,
}

fn hang(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let rows: Vec<_> = context
        .cases([
            ("database", "blocked", HangCause::Database),
            ("full pipe", "blocked", HangCause::Pipe),
            ("lock", "lock_wait", HangCause::Lock),
            ("deadlock", "lock_wait", HangCause::Deadlock),
            ("SIGSTOP", "blocked", HangCause::Stopped),
            ("SIGSTOP, receiving", "blocked", HangCause::StoppedInReceive),
            ("1 of 100 ms", "throttle", HangCause::Throttled),
        ])
        .map(|(case, part, cause)| Ok(run(context, cause)?.rows(case, part)))
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}

/// Runs a case whose hang lasts for the length of the case.
fn run(context: &Context<'_>, cause: HangCause) -> Result<HangRun> {
    let seconds = context.seconds(3.0);
    let hang = Duration::from_secs_f64(seconds);
    let database = Database::start(hang)?;
    let group = Cgroup::with_quota(PERIOD, PERIOD)?;
    let bench = start(cause, hang, database.port(), &group)?;
    let culprit = culprit(cause, &bench, database.port(), &group)?;
    let options = ["--json", "intervals", "--interval", "100ms"];
    let agent = attach_with(context, bench.victim.pid(), &options)?;
    bench.venue.open_gate();
    // The pipe takes two messages before it is full.
    let hangs = BEFORE + if cause == HangCause::Pipe { 3 } else { 1 };
    while bench.venue.sent() < hangs {
        std::thread::sleep(Duration::from_millis(1));
    }
    let began_ns = clock::monotonic_ns();
    begin(cause, &bench, &group)?;
    let samples = sample(&agent, hang.mul_f64(0.85));
    let read_ns = clock::monotonic_ns();
    end(cause, &bench, &group)?;
    let truth = bench.conclude(observe::STREAM)?;
    observe::outcome(agent)?;
    let (began_ns, ended_ns) = if by_us(cause) {
        (began_ns, read_ns)
    } else {
        injected(&truth)?
    };
    ensure!(read_ns <= ended_ns, "the hang ended before it was observed");
    Ok(HangRun {
        truth,
        samples,
        began_ns,
        ended_ns,
        read_ns,
        culprit,
        stopped: matches!(cause, HangCause::Stopped | HangCause::StoppedInReceive),
        deadlock: cause == HangCause::Deadlock,
    })
}

/// Whether the hang is ours, and not one of the victim's own calls.
const fn by_us(cause: HangCause) -> bool {
    matches!(
        cause,
        HangCause::Stopped | HangCause::StoppedInReceive | HangCause::Throttled
    )
}

/// Starts the victim of a case.
fn start(cause: HangCause, hang: Duration, database: u16, group: &Cgroup) -> Result<Bench> {
    let (hold, port) = (hang.as_micros().to_string(), database.to_string());
    let pin = cpu::allowed()
        .first()
        .context("no CPU is allowed")?
        .to_string();
    let cpu_stat = group.cpu_stat();
    let cpu_stat = cpu_stat.to_string_lossy();
    let inject: &[&str] = match cause {
        HangCause::Database => &["--inject", "query", "--database", &port],
        HangCause::Pipe => &["--inject", "sink", "--hold-us", &hold],
        HangCause::Lock => &["--inject", "lock", "--hold-us", &hold],
        HangCause::Deadlock => &["--inject", "deadlock", "--hold-us", &hold],
        // Enough to be found at it.
        HangCause::Stopped => &["--inject", "spin", "--hold-us", "300000"],
        HangCause::StoppedInReceive => &[],
        // With this quota it is more than the time there is.
        HangCause::Throttled => &[
            "--inject",
            "spin",
            "--hold-us",
            "80000",
            "--cpu",
            &pin,
            "--cpu-stat",
            &cpu_stat,
        ],
    };
    let (from, count) = (
        BEFORE.to_string(),
        if cause == HangCause::Pipe { "3" } else { "1" },
    );
    let when = ["--marks", "--inject-from", &from, "--inject-count", count];
    let messages = (RATE * (hang.as_secs_f64() + 1.0)) as u64;
    let venue = venue::VenueOptions::of(RATE, messages);
    let bench = Bench::start(venue, &[&when, inject].concat())?;
    if cause == HangCause::Throttled {
        group.add(bench.victim.pid())?;
    }
    Ok(bench)
}

/// The beginning and the end of what the agent calls the culprit.
fn culprit(
    cause: HangCause,
    bench: &Bench,
    database: u16,
    group: &Cgroup,
) -> Result<(String, String)> {
    let pid = bench.victim.pid();
    let whole = |text: String| (text.clone(), text);
    Ok(match cause {
        HangCause::Database => whole(format!("recvfrom on a socket to 127.0.0.1:{database}")),
        HangCause::Pipe => {
            let children = process::children(pid)?;
            let sink = children.first().context("the victim has no sink")?;
            whole(format!(
                "write on a pipe to {}/{sink}",
                process::comm(*sink)?
            ))
        }
        HangCause::Lock | HangCause::Deadlock => (
            "lock 0x".to_owned(),
            format!(", held by rival/{}", process::thread(pid, "rival")?),
        ),
        HangCause::Stopped | HangCause::StoppedInReceive => whole("stopped by a signal".to_owned()),
        HangCause::Throttled => ("the quota of /".to_owned(), group.below()),
    })
}

/// Begins a hang that is ours, in the middle of what the victim does.
fn begin(cause: HangCause, bench: &Bench, group: &Cgroup) -> Result<()> {
    match cause {
        HangCause::Stopped => {
            std::thread::sleep(Duration::from_millis(50));
            bench.victim.signal(Signal::SIGSTOP);
        }
        HangCause::StoppedInReceive => bench.victim.signal(Signal::SIGSTOP),
        HangCause::Throttled => group.set_quota(Duration::from_millis(1), PERIOD)?,
        _ => {}
    }
    Ok(())
}

/// Ends a hang that is ours.
fn end(cause: HangCause, bench: &Bench, group: &Cgroup) -> Result<()> {
    match cause {
        HangCause::Stopped | HangCause::StoppedInReceive => bench.victim.signal(Signal::SIGCONT),
        HangCause::Throttled => group.set_quota(PERIOD, PERIOD)?,
        _ => {}
    }
    Ok(())
}

/// What the agent has written about what waits after another `length`, oldest first.
fn sample(agent: &AgentProcess, length: Duration) -> Vec<WaitingLine> {
    std::thread::sleep(length);
    let mut samples: Vec<WaitingLine> = agent.waiting().into_iter().flatten().collect();
    samples.dedup_by_key(|sample| sample.at_ns);
    samples
}

/// When the victim's longest wait began and ended, monotonic nanoseconds.
fn injected(truth: &BenchTruth) -> Result<(i64, i64)> {
    let records = truth.victim.records.iter();
    let longest = records.max_by_key(|record| record.injected_ns);
    let record = longest.context("the victim has no record")?;
    Ok((record.called_ns - record.injected_ns, record.called_ns))
}
