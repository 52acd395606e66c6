//! Held back: a victim that stops reading, until the venue may not send any more.

use anyhow::Result;

use crate::compare::ComparedCase;
use crate::observe::{ObservedRun, observe};
use crate::row::counts;
use crate::{BarCheck, Context, Experiment, ResultRow, compare};
use lab::bench::Bench;
use lab::quantiles::Quantiles;
use lab::venue;

pub(super) const HELD_BACK: Experiment = Experiment {
    name: "held-back",
    about: "a victim that stops reading for stretches: behind a small buffer, and behind the \
            default 6 MiB",
    run: held_back,
};

fn held_back(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let run = |(case, rate, seconds, options): (&str, f64, f64, &[&str])| {
        let venue = venue::VenueOptions {
            sample_send_buffer: true,
            ..venue::VenueOptions::of(rate, context.messages(rate, seconds))
        };
        let bench = Bench::start(venue, options)?;
        let run = observe(context, bench, &[])?;
        let slept = ComparedCase {
            experiment: HELD_BACK.name,
            case,
            truth: "what the victim was asked to do",
            part: "blocked",
        };
        let blamed = run.blamed(slept, |row| row.begins("clock_nanosleep"));
        Ok([row(case, &run), blamed])
    };
    let small = [
        "--inject",
        "rcvbuf",
        "--receive-buffer",
        "8192",
        "--hold-us",
        "400000",
        "--gap-us",
        "50000",
    ];
    // First it reads, so that the kernel lets the buffer grow; then not for long.
    let default = [
        "--inject",
        "rcvbuf",
        "--hold-us",
        "3000000",
        "--gap-us",
        "2000000",
    ];
    let rows: Vec<_> = context
        .cases([
            ("8 KiB buffer", 600.0, 4.0, &small[..]),
            ("6 MiB buffer", 15_000.0, 5.0, &default),
        ])
        .map(run)
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}

fn row(case: &str, run: &ObservedRun) -> ResultRow {
    let joined = run.joined();
    let (mut found_ns, mut truth_ns, mut network) = (0, 0, 0);
    let mut differences = Vec::with_capacity(joined.len());
    for message in &joined {
        let truth = message.sent.limited_ns.unwrap_or(0);
        let found = message.found.stage("held_back");
        found_ns += found;
        truth_ns += truth;
        network += message.found.stage("in_flight");
        differences.push(found - truth);
    }
    let mut row = ResultRow {
        experiment: HELD_BACK.name,
        case: case.to_owned(),
        truth: "TCP_INFO of the venue's socket (tcpi_rwnd_limited, tcpi_notsent_bytes), every 200 \
                us",
        quantity: "held_back",
        messages: joined.len(),
        truth_ns,
        found_ns,
        errors: Quantiles::of_errors(differences),
        leak: Some(("in_flight", network)),
        unknown: run.unknown(),
        checks: counts(run, run.truth.sent.len().saturating_sub(joined.len())),
        remarks: Vec::new(),
    };
    let bars = compare::bars(&row).into_iter().map(|bar| match bar.unit {
        // At 250 Hz (a common choice) 4 ms, at 100 Hz 10.
        "us" => BarCheck {
            at_most: 10_000.0,
            ..bar
        }
        .because("the kernel counts tcpi_rwnd_limited in jiffies"),
        _ => bar,
    });
    row.checks.extend(bars);
    row
}
