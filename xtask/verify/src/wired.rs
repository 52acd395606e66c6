//! A run over a wire of a known length instead of loopback.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use crate::Context;
use crate::observe::{ObservedRun, observe};
use lab::bench::Bench;
use lab::tun::{self, Wire, WireLog};
use lab::venue::{self, Venue};

/// Runs venue and victim at the two ends of a wire that delays every packet by `delay`, each way.
/// When a message was in the victim's queue is taken from the wire's log.
pub(super) fn wired(
    context: &Context<'_>,
    delay: Duration,
    options: venue::VenueOptions,
    victim: &[&str],
) -> Result<(ObservedRun, WireLog)> {
    let options = venue::VenueOptions {
        address: tun::VENUE,
        ..options
    };
    let host = tun::VENUE.to_string();
    let victim = [victim, &["--host", &host]].concat();
    // A namespace belongs to a thread and ends with the last file opened in it.
    let (mut run, log) = thread::scope(|scope| {
        let venue = scope.spawn(|| -> Result<_> {
            let device = tun::enter(tun::VENUE)?;
            Ok((Venue::start(options)?, device))
        });
        let (venue, far) = venue
            .join()
            .map_err(|_| anyhow!("the venue's thread panicked"))??;
        let run = scope.spawn(|| -> Result<_> {
            let near = tun::enter(tun::VICTIM)?;
            let wire = Wire::start(far, near, delay)?;
            let port = venue.port();
            let bench = Bench::at(venue, port, &victim)?;
            let run = observe(context, bench, &[])?;
            Ok((run, wire.stop()?))
        });
        run.join()
            .map_err(|_| anyhow!("the victim's thread panicked"))?
    })?;
    let delivered = log.delivered();
    for sent in &mut run.truth.sent {
        let index = delivered.partition_point(|(end, _)| *end < sent.end);
        let (_, out_ns) = delivered
            .get(index)
            .context("a message that the wire did not carry")?;
        sent.taken_monotonic_ns = *out_ns;
    }
    Ok((run, log))
}
