//! Clocks: tag 52 at every resolution, a venue's clock ahead of ours and behind, a step of the wall
//! clock.
//!
//! The true age is the victim's own hand-off minus the venue's stamp before it was cut to what tag
//! 52 says. All cases run side by side, each with a venue, a victim and an agent of its own: they
//! are next to idle.

mod age;
mod bars;

use std::sync::Barrier;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use self::age::ReportedStep;
use crate::observe::{self, ObservedRun, attach};
use crate::{Context, Experiment, ResultRow};
use lab::agent::AgentProcess;
use lab::bench::Bench;
use lab::clock::{Resolution, SECOND};
use lab::venue;

pub(super) const CLOCKS: Experiment = Experiment {
    name: "clocks",
    about: "tag 52 in s to ps, a venue's clock ahead and behind, a step of the wall clock",
    run: clocks,
};

const RATE: f64 = 100.0;
/// How long after the agent was attached the wall clock steps. The streams begin in the meantime.
const STEP_AFTER: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug)]
struct ClockCase {
    name: &'static str,
    seconds: f64,
    resolution: Resolution,
    /// The venue's clock is ahead of ours by so much, nanoseconds.
    ahead: i64,
    /// Messages the venue sends in one go.
    burst: u64,
    /// Both clocks step by so much, nanoseconds.
    step: Option<i64>,
}

const fn case(name: &'static str, resolution: Resolution, ahead: i64) -> ClockCase {
    let seconds = match resolution {
        Resolution::Seconds => 13.0,
        _ => 4.0,
    };
    ClockCase {
        name,
        seconds,
        resolution,
        ahead,
        burst: 1,
        step: None,
    }
}

const fn step(name: &'static str, by: i64) -> ClockCase {
    ClockCase {
        seconds: 6.0,
        step: Some(by),
        ..case(name, Resolution::Micros, 0)
    }
}

const QUARTER: i64 = SECOND / 4;

const CASES: [ClockCase; 12] = [
    case("tag 52 in s", Resolution::Seconds, 0),
    case("s, venue 250 ms ahead", Resolution::Seconds, QUARTER),
    case("s, venue 250 ms behind", Resolution::Seconds, -QUARTER),
    ClockCase {
        burst: 10,
        ..case("s, bursts of 10", Resolution::Seconds, 0)
    },
    case("tag 52 in ms", Resolution::Millis, 0),
    case("tag 52 in us", Resolution::Micros, 0),
    case("tag 52 in ns", Resolution::Nanos, 0),
    case("tag 52 in ps", Resolution::Picos, 0),
    case("us, venue 250 ms ahead", Resolution::Micros, QUARTER),
    case("us, venue 250 ms behind", Resolution::Micros, -QUARTER),
    step("wall clock steps 2 s back", -2 * SECOND),
    step("wall clock steps 2 s forward", 2 * SECOND),
];

/// The cases of a quick run. Stamps in whole seconds take ten seconds to be narrowed, and have unit
/// tests.
const QUICK: [&str; 2] = ["us, venue 250 ms behind", "wall clock steps 2 s back"];

fn clocks(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let cases: Vec<ClockCase> = CASES
        .into_iter()
        .filter(|case| !context.quick || QUICK.contains(&case.name))
        .collect();
    // Attaching takes CPU time: the streams begin when all agents are attached, and the steps are
    // timed from the attachment of their own agent.
    let (quiet, ready) = (Barrier::new(cases.len()), Barrier::new(cases.len()));
    std::thread::scope(|scope| {
        let (quiet, ready) = (&quiet, &ready);
        let run = move |case: ClockCase| {
            let mut started = Err(anyhow::anyhow!("not started"));
            if case.step.is_none() {
                started = start(context, case);
            }
            quiet.wait();
            if case.step.is_some() {
                started = start(context, case);
            }
            ready.wait();
            let (agent, bench) = started?;
            finish(case, agent, bench)
        };
        let threads: Vec<_> = cases
            .iter()
            .map(|&case| (case, scope.spawn(move || run(case))))
            .collect();
        let mut rows = Vec::new();
        for (case, thread) in threads {
            match thread.join() {
                Ok(row) => rows.push(row.with_context(|| case.name)?),
                Err(_) => bail!("{}: the case's thread panicked", case.name),
            }
        }
        Ok(rows)
    })
}

/// Starts a victim that waits for its first message, and attaches an agent to it.
fn start(context: &Context<'_>, case: ClockCase) -> Result<(AgentProcess, Bench)> {
    let seconds = match case.resolution {
        Resolution::Seconds => context.seconds(case.seconds).max(case.seconds),
        _ if case.step.is_some() => case.seconds,
        _ => context.seconds(case.seconds),
    };
    let options = venue::VenueOptions {
        burst: case.burst,
        resolution: case.resolution,
        clock_offset_ns: case.ahead,
        ..venue::VenueOptions::of(RATE, (RATE * seconds) as u64)
    };
    let bench = Bench::start(options, &[])?;
    let step = case
        .step
        .map(|by| format!("{}s:{}ms", STEP_AFTER.as_secs(), by / 1_000_000));
    let more = step.as_ref().map(|step| ["--simulate-clock-step", step]);
    let more = more.as_ref().map_or(&[][..], |more| &more[..]);
    let agent = attach(context, bench.victim.pid(), more)?;
    Ok((agent, bench))
}

/// Runs a stream to its end, with a step of the clock if the case has one.
fn finish(case: ClockCase, agent: AgentProcess, bench: Bench) -> Result<ResultRow> {
    let step = case
        .step
        .map(|by_ns| reported_step(&agent, by_ns))
        .transpose()?;
    if let Some(ReportedStep { at_ns, by_ns }) = step {
        bench.venue.step_clock(at_ns, by_ns);
    }
    let truth = bench.finish(Duration::from_mins(1))?;
    let run = ObservedRun::new(observe::outcome(agent)?, truth)?;
    bars::row(case, &run, step)
}

/// The step of the agent's clock, at the instant that the agent reported.
fn reported_step(agent: &AgentProcess, by_ns: i64) -> Result<ReportedStep> {
    let notes = agent.notes();
    let words = notes
        .iter()
        .find(|line| line.contains("simulating a step"))
        .context("the agent does not say when its clock steps")?;
    let mut words = words.rsplit(' ').skip(1);
    let at = words.next().unwrap_or_default();
    let at_ns = at
        .parse()
        .with_context(|| format!("{at:?} is no instant"))?;
    Ok(ReportedStep { at_ns, by_ns })
}
