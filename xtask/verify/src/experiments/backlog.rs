//! Backlog: 100,000 messages in the socket before the victim reads on, in reads of several sizes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::observe::{self, ObservedRun, attach};
use crate::row::counts;
use crate::{Context, Experiment, ResultRow, compare};
use lab::bench::Bench;
use lab::quantiles::Quantiles;
use lab::venue;

pub(super) const BACKLOG: Experiment = Experiment {
    name: "backlog",
    about: "100,000 messages queued before the victim reads on, 64 B, 4 KiB and 64 KiB at a time",
    run: backlog,
};

const MESSAGES: u64 = 100_000;

fn backlog(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    context
        .cases([("64 B", "64"), ("4 KiB", "4096"), ("64 KiB", "65536")])
        .map(|(case, size)| Ok(row(case, &run(context, size)?)))
        .collect()
}

fn run(context: &Context<'_>, size: &str) -> Result<ObservedRun> {
    let venue = venue::VenueOptions::of(1e6, MESSAGES);
    let options = [
        "--read-size",
        size,
        "--receive-buffer",
        "400000000",
        "--wait-for-signal",
    ];
    let bench = Bench::start(venue, &options)?;
    let agent = attach(context, bench.victim.pid(), &[])?;
    bench.venue.open_gate();
    let deadline = Instant::now() + Duration::from_secs(30);
    while bench.venue.sent() < MESSAGES {
        ensure!(
            Instant::now() < deadline,
            "the backlog does not fit into the socket"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    bench.victim.signal(Signal::SIGUSR1);
    observe::conclude(agent, bench)
}

fn row(case: &str, run: &ObservedRun) -> ResultRow {
    let joined = run.joined();
    let truth = |m: &observe::JoinedMessage<'_>| m.record.handed_off_utc_ns - m.sent.sent_ns;
    let missing = run.truth.sent.len().saturating_sub(joined.len());
    let mut row = ResultRow {
        experiment: BACKLOG.name,
        case: case.to_owned(),
        truth: "the victim's hand-off less the venue's stamp, both by the machine's UTC clock",
        quantity: "age",
        messages: joined.len(),
        truth_ns: joined.iter().map(truth).sum(),
        found_ns: joined.iter().map(|m| m.found.age_ns).sum(),
        errors: Quantiles::of_errors(joined.iter().map(|m| m.found.age_ns - truth(m))),
        leak: None,
        unknown: run.unknown(),
        checks: counts(run, missing),
        remarks: Vec::new(),
    };
    row.checks.extend(compare::bars(&row));
    row
}
