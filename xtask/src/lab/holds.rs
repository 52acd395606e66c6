//! Waits for the GIL, told apart by what its holder logged: hand-offs, and calls that do not yield.

use anyhow::{Context as _, Result};

/// One call of the holder that does not yield, monotonic, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Right before the call.
    pub from_ns: i64,
    /// Right after it.
    pub to_ns: i64,
}

/// One wait of the ingest thread, monotonic, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// When it began.
    pub from_ns: i64,
    /// How long it was.
    pub ns: i64,
}

/// Waits and, of these, those behind a call that did not yield.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Waits {
    /// How many.
    pub waits: u64,
    /// How long, nanoseconds.
    pub waits_ns: i64,
    /// How many were held up by one call, after they had asked for the lock, for a switch interval or more.
    pub holds: u64,
    /// How long these, nanoseconds.
    pub holds_ns: i64,
}

/// Below this the agent tells no wait.
const SHORTEST_NS: i64 = 20_000;

impl Waits {
    /// By the waiter's own account and the holder's. CPython's waiter asks for the GIL when it has waited for a switch
    /// interval, and its holder lets go at the next bytecode: one that is in the same call from then until another
    /// interval is over did not yield. `holds` are in order.
    pub fn tell(waits: impl IntoIterator<Item = Wait>, holds: &[Hold], interval_ns: i64) -> Self {
        let mut told = Self::default();
        for wait in waits.into_iter().filter(|wait| wait.ns >= SHORTEST_NS) {
            told.waits += 1;
            told.waits_ns += wait.ns;
            let asked = wait.from_ns + interval_ns;
            let after = holds.partition_point(|hold| hold.from_ns <= asked);
            let in_call = after.checked_sub(1).map(|index| holds[index]);
            let until = (wait.from_ns + wait.ns).min(in_call.map_or(0, |hold| hold.to_ns));
            if until >= asked + interval_ns {
                told.holds += 1;
                told.holds_ns += wait.ns;
            }
        }
        told
    }

    /// The holds' share of the waiting time, 0 to 1.
    pub fn held(&self) -> f64 {
        self.holds_ns as f64 / self.waits_ns as f64
    }

    /// The holds' share of the waits, 0 to 1.
    pub fn held_in_number(&self) -> f64 {
        self.holds as f64 / self.waits as f64
    }
}

/// Lines of two instants each, `FROM TO`.
pub fn parse(text: &str) -> Result<Vec<Hold>> {
    let hold = |line: &str| {
        let (from, to) = line.split_once(' ')?;
        let (from_ns, to_ns) = (from.parse().ok()?, to.parse().ok()?);
        (from_ns <= to_ns).then_some(Hold { from_ns, to_ns })
    };
    text.lines()
        .map(|line| hold(line).with_context(|| format!("odd line in a log of instants: {line}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(from_ns: i64, to_ns: i64) -> Hold {
        Hold { from_ns, to_ns }
    }

    #[test]
    fn lines_are_read_and_oddities_are_not_taken_for_holds() {
        assert_eq!(
            parse("5 9\n10 30\n").expect("two"),
            [hold(5, 9), hold(10, 30)]
        );
        assert_eq!(parse("").expect("none"), []);
        for odd in ["5", "9 5", "5 x", "5 9 1"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_hold_is_one_call_from_the_request_for_another_interval() {
        let ms = |n: i64| n * 1_000_000;
        let of = |from: i64, length: i64, holds: &[Hold]| {
            let wait = Wait {
                from_ns: ms(from),
                ns: ms(length),
            };
            Waits::tell([wait], holds, ms(5)).holds
        };
        let calls = [hold(ms(100), ms(103)), hold(ms(103), ms(117))];
        // Asked in the second call, which goes on for more than an interval.
        assert_eq!(of(100, 17, &calls), 1);
        // It asks after 112, and the call ends in time.
        assert_eq!(of(108, 9, &calls), 0);
        // Two calls, one after the other, with a bytecode in between where it could have let go.
        let short = [hold(ms(100), ms(108)), hold(ms(108), ms(112))];
        assert_eq!(of(100, 12, &short), 0);
        // Another had it, or nobody.
        assert_eq!(of(200, 17, &calls), 0);
        assert_eq!(of(50, 17, &calls), 0);
        assert_eq!(of(50, 17, &[]), 0);
        // Too short to be told.
        let blink = Wait {
            from_ns: 0,
            ns: 19_999,
        };
        assert_eq!(Waits::tell([blink], &calls, ms(5)), Waits::default());
    }
}
