//! Network: a relay between venue and victim keeps what the venue sent for a known time, or a wire
//! does.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::compare::{self, ComparedCase};
use crate::observe::{ObservedRun, observe};
use crate::wired::wired;
use crate::{Context, Experiment, ResultRow, blame};
use lab::bench::Bench;
use lab::quantiles::Quantiles;
use lab::relay::{Delay, Relay, forwarded_at};
use lab::venue::{self, Venue};

pub(super) const NETWORK: Experiment = Experiment {
    name: "network",
    about: "a relay delays the venue's messages: 5 ms, 40 ms, 5 then 40 ms, 2 to 20 ms; a wire of \
            20 ms",
    run,
};

/// Messages per second, and seconds per case.
const RATE: f64 = 300.0;
const SECONDS: f64 = 4.0;

fn run(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let ms = Duration::from_millis;
    let half = Duration::from_secs_f64(context.seconds(SECONDS) / 2.0);
    let changing = Delay::Changing {
        first: ms(5),
        then: ms(40),
        after: half,
    };
    let relayed = [
        ("5 ms", Delay::Constant(ms(5))),
        ("40 ms", Delay::Constant(ms(40))),
        ("5 ms, then 40 ms", changing),
        ("2 to 20 ms", Delay::Jitter(ms(2), ms(20))),
    ]
    .map(|(case, delay)| relayed(context, case, delay));
    let wired = wired_row(context, "a wire of 20 ms", ms(20));
    let rows: Vec<_> = relayed.into_iter().chain([wired]).collect::<Result<_>>()?;
    Ok(rows.concat())
}

fn relayed(context: &Context<'_>, case: &str, delay: Delay) -> Result<[ResultRow; 2]> {
    let options = venue::VenueOptions::of(RATE, context.messages(RATE, SECONDS));
    let venue = Venue::start(options)?;
    let relay = Relay::start(venue.port(), delay)?;
    let bench = Bench::at(venue, relay.port(), &["--marks"])?;
    let mut run = observe(context, bench, &[])?;
    let log = relay.stop()?;
    for sent in &mut run.truth.sent {
        // It is the relay's send call that hands the message to the victim's kernel.
        sent.taken_monotonic_ns =
            forwarded_at(&log, sent.end).context("bytes that were never forwarded")?;
    }
    let mut rows = rows(
        &run,
        case,
        "the relay's log: when a message's last byte was forwarded, less the venue's clock before \
         its send",
    );
    let late = Quantiles::of_errors(log.iter().map(|passed| passed.out_ns - passed.due_ns));
    rows[0].remarks.push(format!(
        "the relay was late by {} us at the median, {} us at the 99th percentile",
        late.p50_ns / 1000,
        late.p99_ns / 1000
    ));
    Ok(rows)
}

/// Real TCP over a wire that carries every packet for `delay`, each way.
fn wired_row(context: &Context<'_>, case: &str, delay: Duration) -> Result<[ResultRow; 2]> {
    let options = venue::VenueOptions::of(RATE, context.messages(RATE, SECONDS));
    let (run, log) = wired(context, delay, options, &["--marks"])?;
    let truth = "the wire's log: when a message's last byte came out, less the venue's clock \
                 before its send";
    let mut rows = rows(&run, case, truth);
    let data = log
        .packets
        .iter()
        .filter(|packet| packet.to_victim && packet.payload > 0);
    let carried = Quantiles::of_errors(data.map(|packet| packet.out_ns - packet.in_ns));
    rows[0].remarks.push(format!(
        "the wire carried packets for {} us at the median, {} us at the 99th percentile",
        carried.p50_ns / 1000,
        carried.p99_ns / 1000
    ));
    Ok(rows)
}

fn rows(run: &ObservedRun, case: &str, truth: &'static str) -> [ResultRow; 2] {
    let case = ComparedCase {
        experiment: NETWORK.name,
        case,
        truth,
        part: "network",
    };
    let blamed = blame::without_culprit(&run.blame, run.messages.len(), case);
    [compare::row(run, case), blamed]
}
