//! The table of the bench of recordings.

use std::fmt::Write as _;

use super::{CASES, CatchUp};

/// Two values of one quantity that were measured side by side: without recording and with it.
pub(super) type SideBySide<T> = (T, T);

/// Messages a second of a reader, burst by burst.
pub(super) struct ReaderRates {
    pub(super) work_us: u64,
    /// Both agents stopped.
    pub(super) alone: Vec<f64>,
    pub(super) pairs: Vec<SideBySide<f64>>,
}

/// One row for each quantity: the medians, and the change that recording makes.
pub(super) fn table(
    readers: &[ReaderRates],
    agents: &[Vec<SideBySide<CatchUp>>; CASES.len()],
) -> String {
    let mut text = String::from(
        "| | both stopped | `tag52 run` | `tag52 record` | recording, in pairs: median (quartiles) \
         |\n|---|--:|--:|--:|--:|\n",
    );
    let mut row = |name: &str, alone: &str, pairs: Vec<SideBySide<f64>>| {
        let median = |values: Vec<f64>| quartiles(values).1;
        let (without, with) = pairs.iter().copied().unzip();
        let change = pairs.iter().map(|(a, b)| (b / a - 1.0) * 100.0).collect();
        let (low, middle, high) = quartiles(change);
        let _ = writeln!(
            text,
            "| {name} | {alone} | {:.0} | {:.0} | {middle:+.1} % ({low:+.1} to {high:+.1}) |",
            median(without),
            median(with),
        );
    };
    for reader in readers {
        let alone = format!("{:.0}", quartiles(reader.alone.clone()).1);
        let name = format!(
            "reader, reads of 4 KiB, {} us of work a message, messages/s",
            reader.work_us
        );
        row(&name, &alone, reader.pairs.clone());
    }
    type Quantity = (&'static str, fn(&CatchUp) -> f64);
    let quantities: [Quantity; 3] = [
        ("agent, messages/s", |c| c.rate),
        ("agent's ingest thread, CPU ns a message", |c| c.ingest_ns),
        ("all its threads, CPU ns a message", |c| c.all_ns),
    ];
    for (case, pairs) in CASES.iter().zip(agents) {
        // Live it is as fast as the venue.
        for (name, of) in quantities.into_iter().skip(usize::from(case.live)) {
            let pairs = pairs.iter().map(|(a, b)| (of(a), of(b))).collect();
            row(&format!("{name} ({})", case.name), "-", pairs);
        }
    }
    text
}

/// Median, and the quartiles around it.
fn quartiles(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| {
        let place = q * values.len().saturating_sub(1) as f64;
        let (low, high) = (
            values[place.floor() as usize],
            values[place.ceil() as usize],
        );
        low + (high - low) * place.fract()
    };
    if values.is_empty() {
        return (f64::NAN, f64::NAN, f64::NAN);
    }
    (at(0.25), at(0.5), at(0.75))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(quartiles(vec![5.0, 1.0, 3.0, 2.0, 4.0]), (2.0, 3.0, 4.0));
        assert_eq!(quartiles(vec![1.0, 2.0]), (1.25, 1.5, 1.75));
        assert!(quartiles(Vec::new()).1.is_nan());
    }
}
