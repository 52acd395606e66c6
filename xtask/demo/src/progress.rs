//! The line that is shown once per second.

use std::time::Duration;

use super::app::Lag;
use super::matrix_sum::MatrixSum;
use lab::agent::MessageLine;
use lab::quantiles::Quantiles;
use lab::venue::Venue;

/// Writes the lines; it counts the messages shown so far.
#[derive(Debug, Default)]
pub(super) struct ProgressLine {
    shown: usize,
}

impl ProgressLine {
    /// Returns the number of the agent's messages already shown.
    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    /// Returns one line: the application's own lag, and the agent's figures of the last second.
    pub(super) fn line(
        &mut self,
        elapsed: Duration,
        lag: Lag,
        venue: &Venue,
        fresh: Option<&[MessageLine]>,
    ) -> String {
        let mut line = format!(
            "{:>4.0} s | {} sent, {} handed off | app lag {:>8}",
            elapsed.as_secs_f64(),
            venue.sent(),
            lag.messages,
            human(lag.lag_ns)
        );
        match fresh {
            None => {}
            Some([]) => line += " | agent: no message handed off",
            Some(fresh) => {
                self.shown += fresh.len();
                let ages = Quantiles::of(fresh.iter().map(|message| message.age_ns));
                line += &format!(
                    " | agent age last {:>8}  p50 {:>8}  p99 {:>8} | {}",
                    human(fresh[fresh.len() - 1].age_ns),
                    human(ages.p50_ns),
                    human(ages.p99_ns),
                    MatrixSum::of(fresh).shares()
                );
            }
        }
        if venue.blocked() {
            line += " | the venue cannot send: the receiver's window is closed";
        }
        line
    }
}

/// Formats nanoseconds: `417 us`, `12.3 ms`, `8.41 s`.
pub(super) fn human(ns: i64) -> String {
    let value = ns as f64;
    match ns.unsigned_abs() {
        0..1_000_000 => format!("{:.0} us", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}
