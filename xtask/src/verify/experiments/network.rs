//! Network: a relay between venue and victim keeps what the venue sent for a known time.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::lab::bench::Bench;
use crate::lab::relay::{Delay, Relay, passed_on};
use crate::lab::venue::{self, Venue};
use crate::verify::compare::{self, Case};
use crate::verify::observe::observe;
use crate::verify::{Context, Errors, Experiment, Row};

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
    let mut run = observe(context, bench, &[])?;
    let log = relay.stop()?;
    for sent in &mut run.truth.sent {
        // It is the relay's send call that hands the message to the victim's kernel.
        sent.taken_monotonic_ns =
            passed_on(&log, sent.end).context("bytes that were never passed on")?;
    }
    let mut row = compare::row(
        &run,
        Case {
            experiment: NETWORK.name,
            case,
            truth: "the relay's log: when a message's last byte was passed on, less the venue's clock before its send",
            part: "network",
        },
    );
    let late = Errors::of(log.iter().map(|passed| passed.out_ns - passed.due_ns));
    row.remarks.push(format!(
        "the relay was late by {} us at the median, {} us at the 99th percentile",
        late.p50_ns / 1000,
        late.p99_ns / 1000
    ));
    Ok(row)
}
