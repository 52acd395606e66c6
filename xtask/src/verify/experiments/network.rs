//! Network: a relay between venue and victim keeps what the venue sent for a known time.

use std::time::Duration;

use anyhow::Result;

use crate::lab::bench::Bench;
use crate::lab::relay::{Delay, Passed, Relay, passed_on};
use crate::lab::venue::{self, Venue};
use crate::verify::compare::bars;
use crate::verify::observe::{Joined, Run, observe};
use crate::verify::truth::{Spent, Timeline};
use crate::verify::{Check, Context, Errors, Experiment, Row};

pub(super) const NETWORK: Experiment = Experiment {
    name: "network",
    about: "a relay delays the venue's messages: 5 ms, 40 ms, 5 then 40 ms, 2 to 20 ms",
    run,
};

/// Messages per second, and seconds per case.
const RATE: f64 = 300.0;
const SECONDS: f64 = 4.0;

fn run(context: &Context<'_>) -> Result<Vec<Row>> {
    let ms = Duration::from_millis;
    let half = Duration::from_secs_f64(context.seconds(SECONDS) / 2.0);
    let changing = Delay::Changing {
        first: ms(5),
        then: ms(40),
        after: half,
    };
    [
        ("5 ms", Delay::Constant(ms(5))),
        ("40 ms", Delay::Constant(ms(40))),
        ("5 ms, then 40 ms", changing),
        ("2 to 20 ms", Delay::Jitter(ms(2), ms(20))),
    ]
    .into_iter()
    .map(|(case, delay)| relayed(context, case, delay))
    .collect()
}

fn relayed(context: &Context<'_>, case: &str, delay: Delay) -> Result<Row> {
    let options = venue::Options::of(RATE, context.messages(RATE, SECONDS));
    let venue = Venue::start(options)?;
    let relay = Relay::start(venue.port(), delay)?;
    let bench = Bench::at(context.xtask, venue, relay.port(), &["--marks"])?;
    let run = observe(context, bench, &[])?;
    let log = relay.stop()?;
    Ok(row(case, &run, &log))
}

fn row(case: &str, run: &Run, log: &[Passed]) -> Row {
    let timeline = Timeline::of(&run.truth.victim.marks);
    let joined = run.joined();
    // Who reads the socket is known from the first receive call on.
    let first_read_ns = joined
        .first()
        .map_or(0, |message| message.record.received_ns);
    let (mut found_ns, mut truth_ns, mut unknown) = (0, 0, 0);
    let mut differences = Vec::with_capacity(joined.len());
    let mut others = others_of(&Spent::default(), None);
    for message in &joined {
        let Some(passed) = passed_on(log, message.sent.end) else {
            continue;
        };
        // Where the victim was faster than the return of the relay's send call.
        let arrived = passed.min(message.record.received_ns);
        let truth = arrived - message.sent.sent_monotonic_ns;
        let found = message.found.part("network");
        found_ns += found;
        unknown += usize::from(arrived > first_read_ns && message.found.part("unknown") > 0);
        truth_ns += truth;
        differences.push(found - truth);
        let spent = timeline.between(arrived, message.record.handed_off_ns);
        for (sum, (_, difference)) in others.iter_mut().zip(others_of(&spent, Some(message))) {
            sum.1 += difference;
        }
    }
    let late = Errors::of(log.iter().map(|p| p.out_ns - p.due_ns));
    let mut row = Row {
        experiment: NETWORK.name,
        case: case.to_owned(),
        truth: "the relay's log: when a message's last byte was passed on, less the venue's clock before its send",
        quantity: "network",
        messages: differences.len(),
        truth_ns,
        found_ns,
        leak: others.into_iter().max_by_key(|(_, ns)| ns.abs()),
        unknown,
        checks: vec![
            Check::none("sums that do not hold", run.inexact()),
            Check::none(
                "messages the agent missed",
                run.truth.sent.len().saturating_sub(differences.len()),
            ),
            Check::none("messages with unknown time, after the first read", unknown),
        ],
        errors: Errors::of(differences),
        remarks: vec![format!(
            "the relay was late by {} us at the median, {} us at the 99th percentile",
            late.p50_ns / 1000,
            late.p99_ns / 1000
        )],
    };
    row.checks.extend(bars(&row));
    row
}

/// What else a message waited for: the agent's account less the true one. Nothing is held back here.
fn others_of(truth: &Spent, message: Option<&Joined<'_>>) -> [(&'static str, i64); 6] {
    let part = |name| message.map_or(0, |message| message.found.part(name));
    let held_back = message.map_or(0, |message| message.found.stage("held_back"));
    [
        ("on_cpu", part("on_cpu") - truth.on_cpu),
        ("run_queue", part("run_queue") - truth.runnable),
        ("throttle", part("throttle")),
        ("lock_wait", part("lock_wait") - truth.lock),
        ("blocked", part("blocked") - truth.asleep),
        ("held_back", held_back),
    ]
}
