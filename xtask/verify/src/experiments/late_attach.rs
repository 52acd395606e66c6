//! Late attach: the agent comes in the middle of a backlog.

use std::time::Duration;

use anyhow::Result;

use crate::compare::ComparedCase;
use crate::observe::{self, JoinedMessage, ObservedRun, attach};
use crate::truth::Timeline;
use crate::{BarCheck, Context, Experiment, ResultRow, blame};
use lab::bench::Bench;
use lab::quantiles::Quantiles;
use lab::{clock, venue};

pub(super) const LATE: Experiment = Experiment {
    name: "late-attach",
    about: "the agent is attached in the middle of a backlog",
    run: late,
};

/// A part may be above the truth by two readings of clocks and the last receive call.
const SLACK_NS: i64 = 200_000;

fn late(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    const RATE: f64 = 400.0;
    // 4 ms of every message: four times as much as there is time for, then the backlog is worked
    // off.
    let venue = venue::VenueOptions::of(RATE, (RATE * context.seconds(3.0).max(3.0)) as u64);
    let options = [
        "--marks",
        "--inject",
        "sleep",
        "--hold-us",
        "3000",
        "--work-us",
        "1000",
        "--read-size",
        "8192",
    ];
    let bench = Bench::start(venue, &options)?;
    bench.venue.open_gate();
    std::thread::sleep(Duration::from_millis(1200));
    let attaching = clock::monotonic_ns();
    let agent = attach(context, bench.victim.pid(), &[])?;
    let attached = clock::monotonic_ns();
    let run = observe::conclude(agent, bench)?;
    let slept = ComparedCase {
        experiment: LATE.name,
        case: "in a backlog",
        truth: "what the victim was asked to do",
        part: "blocked",
    };
    let blamed = run.blamed(slept, |row| row.begins("clock_nanosleep"));
    Ok(vec![row(&run, attaching, attached), blamed])
}

fn row(run: &ObservedRun, attaching: i64, attached: i64) -> ResultRow {
    let timeline = Timeline::of(&run.truth.victim.marks);
    let joined = run.joined();
    // The reader is registered from the first receive call on.
    let reads = run
        .truth
        .victim
        .records
        .iter()
        .map(|record| record.received_ns);
    let registered = reads.filter(|&at| at > attached).min().unwrap_or(attached);
    let unknown = |m: &JoinedMessage<'_>| m.found.part("unknown");
    let early = |m: &&JoinedMessage<'_>| m.sent.sent_monotonic_ns < registered;
    let (before, after): (Vec<&JoinedMessage<'_>>, Vec<&JoinedMessage<'_>>) =
        joined.iter().partition(early);
    // The agent may not find more of a part than there was.
    let excess = |m: &JoinedMessage<'_>| {
        let truth = timeline.between(m.sent.sent_monotonic_ns, m.record.handed_off_ns);
        let parts = [
            ("blocked", truth.asleep),
            ("on_cpu", truth.on_cpu + truth.stolen),
            ("run_queue", truth.run_queue),
            ("lock_wait", truth.lock),
            ("throttle", truth.throttle),
        ];
        parts
            .map(|(part, truth)| m.found.part(part) - truth)
            .into_iter()
            .max()
            .unwrap_or(0)
    };
    let wrong = |m: &&JoinedMessage<'_>| excess(m) > SLACK_NS + m.found.age_ns / 50;
    let complete_before =
        |m: &&JoinedMessage<'_>| m.sent.sent_monotonic_ns < attaching && unknown(m) == 0;
    let arrived_before = |m: &&&JoinedMessage<'_>| {
        let offset = m.record.handed_off_utc_ns - m.record.handed_off_ns;
        let arrived = m.found.arrived_ns.map(|utc| utc - offset);
        arrived.is_some_and(|at| at < attaching - SLACK_NS)
    };
    ResultRow {
        experiment: LATE.name,
        case: "in a backlog".to_owned(),
        truth: "the instant of the attachment, and the victim's own account",
        quantity: "unknown",
        messages: joined.len(),
        truth_ns: before.iter().map(|m| unknown(m)).sum(),
        found_ns: joined.iter().map(unknown).sum(),
        errors: Quantiles::of_errors(joined.iter().map(|m| excess(m).max(0))),
        leak: None,
        unknown: after.iter().filter(|m| unknown(m) > 0).count(),
        checks: vec![
            BarCheck::none("sums that do not hold", run.inexact()),
            blame::sums(&run.blame),
            BarCheck::none(
                "messages with a part larger than the truth",
                joined.iter().filter(wrong).count(),
            ),
            BarCheck::none(
                "arrivals observed before there was an agent",
                before.iter().filter(arrived_before).count(),
            ),
            BarCheck::none(
                "messages observed whole with unknown time",
                after.iter().filter(|m| unknown(m) > 0).count(),
            ),
            BarCheck::none(
                "messages sent before the attachment began without unknown time",
                joined.iter().filter(complete_before).count(),
            ),
        ],
        remarks: vec![format!(
            "{} of {} messages were sent before the agent was there",
            before.len(),
            joined.len()
        )],
    }
}
