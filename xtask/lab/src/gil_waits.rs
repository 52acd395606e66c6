//! Waits for the GIL, classified by the holder's log: hand-overs and uninterruptible holds.

use anyhow::{Context as _, Result};

use crate::blame::BlameEntry;
use crate::sched::Schedstat;

/// One call of the holder that does not yield. Monotonic nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GilHold {
    /// Right before the call.
    pub from_ns: i64,
    /// Right after it.
    pub to_ns: i64,
}

/// One wait of the ingest thread. Monotonic nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GilWait {
    /// Its beginning.
    pub from_ns: i64,
    /// Its length.
    pub ns: i64,
}

/// Totals of waits and of those that were uninterruptible holds. The others were hand-overs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WaitTotals {
    /// Number of waits.
    pub waits: u64,
    /// Total length of the waits, nanoseconds.
    pub waits_ns: i64,
    /// Number of uninterruptible holds.
    pub holds: u64,
    /// Total length of the uninterruptible holds, nanoseconds.
    pub holds_ns: i64,
}

/// The agent does not report shorter waits.
const MIN_WAIT_NS: i64 = 20_000;

/// The largest deviation of a share that passes, percentage points.
const MAX_POINTS: f64 = 10.0;

/// The truth about waits for the GIL. A CPython thread that has waited for a switch interval
/// requests the GIL, and the holder yields at its next bytecode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct GilTruth {
    /// Holds by the waiter's clock: waits of two switch intervals or more.
    pub by_clock: WaitTotals,
    /// Holds by the holder's log: after the request it stayed in one call for another switch
    /// interval.
    pub by_calls: WaitTotals,
    /// The holder's schedstat: a holder without a CPU cannot yield either.
    pub holder: Schedstat,
    /// sys.getswitchinterval(), nanoseconds.
    pub interval_ns: i64,
}

/// The deviation of a share of uninterruptible holds from the true one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShareError {
    /// The name of the share.
    pub name: &'static str,
    /// The deviation, percentage points.
    pub points: f64,
    /// The largest deviation that passes, percentage points.
    pub at_most: f64,
}

impl ShareError {
    /// Whether the deviation passes. NaN does not.
    pub fn passes(&self) -> bool {
        self.points <= self.at_most
    }
}

impl GilTruth {
    /// Classifies the waits by the calls of the holder that do not yield, which are in order.
    pub fn classify(
        waits: &[GilWait],
        calls: &[GilHold],
        holder: Schedstat,
        interval_ns: i64,
    ) -> Self {
        let by_clock = WaitTotals::classify(waits, |wait| wait.ns >= 2 * interval_ns);
        let by_calls = WaitTotals::classify(waits, |wait| {
            let asked = wait.from_ns + interval_ns;
            let after = calls.partition_point(|call| call.from_ns <= asked);
            let in_call = after.checked_sub(1).map_or(0, |index| calls[index].to_ns);
            in_call.min(wait.from_ns + wait.ns) >= asked + interval_ns
        });
        Self {
            by_clock,
            by_calls,
            holder,
            interval_ns,
        }
    }

    /// Returns the deviations of the agent's shares.
    pub fn share_errors(&self, found: &WaitTotals) -> [ShareError; 4] {
        let differs = |name, found: f64, truth: f64, excused: f64| ShareError {
            name,
            points: 100.0 * (found - truth).abs(),
            at_most: MAX_POINTS + 100.0 * excused,
        };
        let (clock, calls) = (&self.by_clock, &self.by_calls);
        // A wait that is long for want of a CPU includes at least one interval of that and lasts at
        // most twice as long.
        let delay = self.holder.run_delay_ns as f64;
        let in_time = 2.0 * delay / calls.waits_ns as f64;
        let in_number = delay / self.interval_ns as f64 / calls.waits as f64;
        [
            differs(
                "uninterruptible holds by the clock, share of the time",
                found.of_time(),
                clock.of_time(),
                0.0,
            ),
            differs(
                "uninterruptible holds by the clock, share of the waits",
                found.of_number(),
                clock.of_number(),
                0.0,
            ),
            differs(
                "uninterruptible holds by the calls, share of the time",
                found.of_time(),
                calls.of_time(),
                in_time,
            ),
            differs(
                "uninterruptible holds by the calls, share of the waits",
                found.of_number(),
                calls.of_number(),
                in_number,
            ),
        ]
    }
}

impl WaitTotals {
    fn classify(waits: &[GilWait], is_hold: impl Fn(&GilWait) -> bool) -> Self {
        let mut sums = Self::default();
        for wait in waits.iter().filter(|wait| wait.ns >= MIN_WAIT_NS) {
            sums.waits += 1;
            sums.waits_ns += wait.ns;
            if is_hold(wait) {
                sums.holds += 1;
                sums.holds_ns += wait.ns;
            }
        }
        sums
    }

    /// Sums the ingest thread's waits in rows of blame.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a BlameEntry>) -> Self {
        let mut all = Self::default();
        for row in rows {
            all.waits += row.waits;
            all.waits_ns += row.waits_ns.cast_signed();
            all.holds += row.holds;
            all.holds_ns += row.holds_ns.cast_signed();
        }
        all
    }

    /// The holds' share of the waiting time, 0 to 1.
    pub(crate) fn of_time(&self) -> f64 {
        self.holds_ns as f64 / self.waits_ns as f64
    }

    /// The holds' share of the number of waits, 0 to 1.
    pub(crate) fn of_number(&self) -> f64 {
        self.holds as f64 / self.waits as f64
    }
}

/// Parses lines with two instants each, `FROM TO`.
pub fn parse(text: &str) -> Result<Vec<GilHold>> {
    let hold = |line: &str| {
        let (from, to) = line.split_once(' ')?;
        let (from_ns, to_ns) = (from.parse().ok()?, to.parse().ok()?);
        (from_ns <= to_ns).then_some(GilHold { from_ns, to_ns })
    };
    text.lines()
        .map(|line| {
            hold(line).with_context(|| format!("unexpected line in a log of instants: {line}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(from_ns: i64, to_ns: i64) -> GilHold {
        GilHold { from_ns, to_ns }
    }

    #[test]
    fn lines_are_parsed_and_malformed_ones_refused() {
        assert_eq!(
            parse("5 9\n10 30\n").expect("two"),
            [hold(5, 9), hold(10, 30)]
        );
        assert_eq!(parse("").expect("none"), []);
        for odd in ["5", "9 5", "5 x", "5 9 1"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }

    fn truth(from: i64, length: i64, calls: &[GilHold]) -> GilTruth {
        let ms = |n: i64| n * 1_000_000;
        let wait = GilWait {
            from_ns: ms(from),
            ns: ms(length),
        };
        let calls: Vec<GilHold> = calls
            .iter()
            .map(|call| hold(ms(call.from_ns), ms(call.to_ns)))
            .collect();
        GilTruth::classify(&[wait], &calls, Schedstat::default(), ms(5))
    }

    #[test]
    fn a_long_call_lasts_from_the_request_for_another_interval() {
        let of = |from, length, calls: &[GilHold]| {
            let truth = truth(from, length, calls);
            (truth.by_clock.holds, truth.by_calls.holds)
        };
        let calls = [hold(100, 103), hold(103, 117)];
        // Asked in the second call, which goes on for more than an interval.
        assert_eq!(of(100, 17, &calls), (1, 1));
        // It asks after 113, and the call ends in time.
        assert_eq!(of(108, 9, &calls), (0, 0));
        // Two calls, one after the other, with a bytecode in between where it could have yielded.
        let short = [hold(100, 108), hold(108, 112)];
        assert_eq!(of(100, 12, &short), (1, 0));
        // Another had it, or nobody.
        assert_eq!(of(200, 17, &calls), (1, 0));
        assert_eq!(of(50, 17, &calls), (1, 0));
        assert_eq!(of(50, 17, &[]), (1, 0));
        // Too short to be reported.
        let blink = GilWait {
            from_ns: 0,
            ns: 19_999,
        };
        let none = GilTruth::classify(&[blink], &calls, Schedstat::default(), 5).by_clock;
        assert_eq!(none, WaitTotals::default());
    }

    #[test]
    fn wrong_shares_fail_and_a_holder_without_a_cpu_is_excused() {
        let mut truth = truth(100, 17, &[hold(100, 117)]);
        let mut found = truth.by_calls;
        let wrong = |truth: &GilTruth, found: &WaitTotals| {
            let differs = truth.share_errors(found).into_iter();
            let wrong = differs.filter(|d| !d.passes());
            wrong.map(|d| d.name).collect::<Vec<_>>()
        };
        assert_eq!(wrong(&truth, &found), [""; 0]);
        (found.holds, found.holds_ns) = (0, 0);
        assert_eq!(wrong(&truth, &found).len(), 4);
        truth.by_clock.holds = 0;
        truth.by_clock.holds_ns = 0;
        assert_eq!(wrong(&truth, &found).len(), 2);
        truth.holder.run_delay_ns = 9_000_000;
        assert_eq!(wrong(&truth, &found), [""; 0]);
        assert_eq!(wrong(&truth, &WaitTotals::default()).len(), 4);
    }
}
