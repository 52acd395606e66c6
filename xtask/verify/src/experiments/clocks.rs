//! Clocks: tag 52 at every resolution, a venue's clock ahead of ours and behind, a step of the wall
//! clock.
//!
//! The true age is the victim's own hand-off minus the venue's stamp before it was cut to what tag
//! 52 says. All cases run side by side, each with a venue, a victim and an agent of its own: they
//! are next to idle.

use std::sync::Barrier;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::observe::{self, JoinedMessage, ObservedRun, attach};
use crate::{BarCheck, Context, ErrorQuantiles, Experiment, MISSED, ResultRow, blame};
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
/// Two readings of two clocks, and the entry into a receive call.
const SLACK_NS: i64 = 100_000;
/// Whole-second stamps are narrowed to the bar after so much of the stream.
const SETTLED_NS: i64 = 10 * SECOND;
/// The width of narrowed bounds, ms.
const WIDTH_MS: f64 = 100.0;
/// How long after the agent began to watch the wall clock steps. The streams begin in the meantime.
const STEP_AFTER: Duration = Duration::from_secs(4);
/// Messages on their way during a step.
const AMBIGUOUS: f64 = 5.0;
/// How far from the step their stamps may be at the most.
const AROUND_STEP_NS: i64 = 30_000_000;
/// Hand-offs that are late because the victim lost its CPU between its clock and its next receive
/// call, per cent.
const LATE_HAND_OFFS: f64 = 1.0;

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

/// The cases of a quick run. Whole seconds take ten of them to be narrowed, and unit tests see to
/// that too.
const QUICK: [&str; 2] = ["us, venue 250 ms behind", "wall clock steps 2 s back"];

fn clocks(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let cases: Vec<ClockCase> = CASES
        .into_iter()
        .filter(|case| !context.quick || QUICK.contains(&case.name))
        .collect();
    // Attaching is work: the streams begin when all is attached, and the steps are timed from their
    // own attaching.
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
            row(case, agent, bench)
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

/// The agent watches a victim that waits for its first message.
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

/// The monotonic instant at which the agent's clock steps, as it reported.
fn told_step(agent: &AgentProcess) -> Result<i64> {
    let notes = agent.notes();
    let words = notes
        .iter()
        .find(|line| line.contains("simulating a step"))
        .context("the agent does not say when its clock steps")?;
    let mut words = words.rsplit(' ').skip(1);
    let at = words.next().unwrap_or_default();
    at.parse().with_context(|| format!("odd instant {at}"))
}

fn row(case: ClockCase, agent: AgentProcess, bench: Bench) -> Result<ResultRow> {
    let step = match case.step {
        Some(by) => Some((told_step(&agent)?, by)),
        None => None,
    };
    if let Some((at, by)) = step {
        bench.venue.step_clock(at, by);
    }
    let truth = bench.finish(Duration::from_secs(60))?;
    let outcome = observe::outcome(agent)?;
    let run = ObservedRun::new(outcome, truth)?;
    let aged: Vec<AgedMessage<'_>> = run
        .joined()
        .into_iter()
        .map(|m| AgedMessage::new(m, step))
        .collect();
    ensure!(!aged.is_empty(), "no message was joined");
    // Of whole seconds those that come after the time it takes to narrow them.
    let settles = if case.resolution == Resolution::Seconds {
        SETTLED_NS
    } else {
        0
    };
    let begin = aged[0].message.sent.sent_monotonic_ns;
    let settled = |m: &&AgedMessage<'_>| m.message.sent.sent_monotonic_ns - begin >= settles;
    let compared: Vec<&AgedMessage<'_>> = aged.iter().filter(settled).collect();
    let mut row = ResultRow {
        experiment: CLOCKS.name,
        case: case.name.to_owned(),
        truth: "the victim's clock at the hand-off, the venue's at the stamp before it was cut",
        quantity: "age",
        messages: compared.len(),
        truth_ns: compared.iter().map(|m| m.truth).sum(),
        found_ns: compared.iter().map(|m| m.found()).sum(),
        errors: ErrorQuantiles::of(compared.iter().map(|m| m.found() - m.truth)),
        leak: None,
        unknown: run.unknown(),
        checks: vec![
            BarCheck::none("sums that do not hold", run.inexact()),
            blame::sums(&run.blame),
            BarCheck::none(MISSED, run.truth.sent.len().saturating_sub(aged.len())),
        ],
        remarks: vec![hand_offs(&aged, step)],
    };
    if case.resolution == Resolution::Seconds {
        coarse(&mut row, &aged, &compared, case);
    } else {
        fine(&mut row, &aged, step);
    }
    if let Some((at, by)) = step {
        let steps = run.summary["health"]["anomalies"]["clock_steps"].as_u64();
        stepped(&mut row, &aged, at, by);
        let unreported = BarCheck::none(
            "steps of the clock that are not reported",
            usize::from(steps != Some(1)),
        );
        row.checks.push(unreported);
    }
    Ok(row)
}

/// A message and its true age.
#[derive(Clone, Copy, Debug)]
struct AgedMessage<'a> {
    message: JoinedMessage<'a>,
    truth: i64,
}

impl<'a> AgedMessage<'a> {
    fn new(message: JoinedMessage<'a>, step: Option<(i64, i64)>) -> Self {
        let JoinedMessage { sent, record, .. } = message;
        // Both clocks step together; the victim's log is by the machine's clock, which does not.
        let stepped = match step {
            Some((at, by)) if sent.sent_monotonic_ns >= at => by,
            _ => 0,
        };
        let truth = record.handed_off_utc_ns - (sent.stamped_ns - stepped);
        Self { message, truth }
    }

    /// The agent's bounds of the age: narrowed ones, if there are any, or a step of tag 52.
    fn bounds(&self) -> (i64, i64) {
        let found = self.message.found;
        found.age_narrowed_ns.map_or_else(
            || (found.age_ns - found.sent_resolution_ns, found.age_ns),
            |narrowed| (narrowed.min, narrowed.max),
        )
    }

    /// The age as the agent has it, or the middle of whole-second bounds.
    fn found(&self) -> i64 {
        let found = self.message.found;
        if found.sent_resolution_ns < SECOND {
            return found.age_ns;
        }
        let (min, max) = self.bounds();
        i64::midpoint(min, max)
    }

    fn within(&self, (min, max): (i64, i64)) -> bool {
        (min - SLACK_NS..=max + SLACK_NS).contains(&self.truth)
    }
}

fn per_cent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// How far the hand-offs of agent and victim are apart: that is no matter of stamps.
fn hand_offs(aged: &[AgedMessage<'_>], step: Option<(i64, i64)>) -> String {
    let by = step.map_or(0, |(_, by)| by);
    let errors = ErrorQuantiles::of(aged.iter().map(|m| {
        let late = m.message.found.handed_off_ns - m.message.record.handed_off_utc_ns;
        // With a step there are two clocks.
        if late.abs() < (late - by).abs() {
            late
        } else {
            late - by
        }
    }));
    format!(
        "of it by the hand-off: median {:.1}us, p99 {:.1}us",
        errors.p50_ns as f64 / 1e3,
        errors.p99_ns as f64 / 1e3
    )
}

/// Stamps in whole seconds: rigorous bounds and narrowed ones, whose width counts of `settled`
/// messages.
fn coarse(
    row: &mut ResultRow,
    aged: &[AgedMessage<'_>],
    settled: &[&AgedMessage<'_>],
    case: ClockCase,
) {
    let rigorous = |m: &&AgedMessage<'_>| {
        let found = m.message.found;
        !m.within((found.age_ns - found.sent_resolution_ns, found.age_ns))
    };
    let narrowed: Vec<_> = aged
        .iter()
        .filter(|m| m.message.found.age_narrowed_ns.is_some())
        .collect();
    let wrong = narrowed.iter().filter(|m| !m.within(m.bounds())).count();
    let widths = ErrorQuantiles::of(settled.iter().map(|m| m.bounds().1 - m.bounds().0));
    let ms = |ns: i64| ns as f64 / 1e6;
    row.checks.extend([
        BarCheck::none(
            "messages outside of their rigorous bounds",
            aged.iter().filter(rigorous).count(),
        ),
        BarCheck::at_most(
            "messages outside of their narrowed bounds",
            per_cent(wrong, narrowed.len()),
            0.1,
            "%",
        ),
    ]);
    if case.burst == 1 {
        row.checks.extend([
            BarCheck::at_most("median width after 10 s", ms(widths.p50_ns), WIDTH_MS, "ms"),
            BarCheck::at_most("p99 width after 10 s", ms(widths.p99_ns), WIDTH_MS, "ms"),
        ]);
    }
    row.remarks.push(format!(
        "{} messages narrowed, {wrong} wrongly; after 10 s to {:.1}ms, p99 {:.1}ms, at most \
         {:.1}ms",
        narrowed.len(),
        ms(widths.p50_ns),
        ms(widths.p99_ns),
        ms(widths.max_ns)
    ));
}

/// Finer stamps: the age is the true one and at most a step of tag 52 more.
fn fine(row: &mut ResultRow, aged: &[AgedMessage<'_>], step: Option<(i64, i64)>) {
    let aside = |m: &&AgedMessage<'_>| step.is_none_or(|(_, by)| !misjudged(m, by));
    let error = |m: &AgedMessage<'_>| m.message.found.age_ns - m.truth;
    let early = |m: &&AgedMessage<'_>| error(m) < -SLACK_NS;
    let late = |m: &&AgedMessage<'_>| error(m) > m.message.found.sent_resolution_ns + SLACK_NS;
    let late = aged.iter().filter(aside).filter(late).count();
    row.checks.extend([
        BarCheck::none(
            "ages that are too small",
            aged.iter().filter(aside).filter(early).count(),
        ),
        BarCheck::at_most(
            "ages that are too large by more than a step of tag 52",
            per_cent(late, aged.len()),
            LATE_HAND_OFFS,
            "%",
        ),
    ]);
}

/// Off by the step, or near.
fn misjudged(m: &AgedMessage<'_>, by: i64) -> bool {
    (m.message.found.age_ns - m.truth).abs() > by.abs() / 2
}

/// A step: only what was on its way may be off by it.
fn stepped(row: &mut ResultRow, aged: &[AgedMessage<'_>], at: i64, by: i64) {
    let off: Vec<_> = aged.iter().filter(|m| misjudged(m, by)).collect();
    let far =
        |m: &&&AgedMessage<'_>| (m.message.sent.sent_monotonic_ns - at).abs() > AROUND_STEP_NS;
    let before = |m: &&AgedMessage<'_>| m.message.sent.sent_monotonic_ns < at;
    let (earlier, later) = (
        aged.iter().filter(before).count(),
        aged.iter().filter(|m| !before(m)).count(),
    );
    row.checks.extend([
        BarCheck::none(
            "messages off by the step that were not on their way",
            off.iter().filter(far).count(),
        ),
        BarCheck::at_most("messages off by the step", off.len() as f64, AMBIGUOUS, ""),
        BarCheck::none(
            "sides of the step without messages",
            usize::from(earlier == 0) + usize::from(later == 0),
        ),
    ]);
    row.remarks.push(format!(
        "{earlier} messages before the step, {later} after it, {} off by it",
        off.len()
    ));
}
