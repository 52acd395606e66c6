//! Lock-wait: the GIL of a CPython process, handed off late or not at all.

use anyhow::Result;

use crate::compare::{self, ComparedCase, MAX_TOTAL};
use crate::observe::observe;
use crate::{BarCheck, Context, Experiment, ResultRow};
use lab::blame::BlameEntry;
use lab::gil::{self, GilSetup, Rival};
use lab::gil_waits::{GilHold, GilTruth, WaitTotals};
use lab::{cpu, process, venue};

pub(super) const GIL: Experiment = Experiment {
    name: "gil",
    about: "a rival thread holds the GIL: in bytecode, with two switch intervals, and in C calls \
            of 25 ms",
    run: gil,
};

/// A receive call and three calls per message, each with a hand-off of 5 ms, would allow 50 a
/// second: now and then there is a queue, and it ends.
const RATE: f64 = 45.0;

/// CPython's own switch interval, and one of a tenth.
const SLOW_US: u32 = 5_000;
const FAST_US: u32 = 500;

/// A wait ends after the switch interval, at the holder's next bytecode, and the mean of all may be
/// off by so much of it, per cent: timers are late by some tens of microseconds.
const HAND_OVER: f64 = 50.0;

/// With a tenth of the switch interval no more than this may be left of the lock-wait, per cent.
const LEFT: f64 = 30.0;

fn gil(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let set = GilSetup::prepare(context.python)?;
    let calls = Rival::Calls {
        hold_us: 25_000,
        gap_us: 5_000,
    };
    let mut rows = context
        .cases([
            ("bytecode, 5 ms", Rival::Bytecode, SLOW_US),
            ("bytecode, 0.5 ms", Rival::Bytecode, FAST_US),
            ("C calls, 25 ms", calls, SLOW_US),
        ])
        .map(|(name, rival, switch_us)| case(context, &set, name, rival, switch_us))
        .collect::<Result<Vec<_>>>()?;
    rows[0][0].remarks.push(set.python.version.clone());
    if let [[slow, _], [fast, _], [calls, _]] = &mut rows[..] {
        fast.checks.extend(fallen(slow, fast));
        calls.remarks.push(call_lengths(&set.holds()?));
    }
    Ok(rows.concat())
}

/// Waits that are no uninterruptible holds take about a switch interval: the request, then the next
/// bytecode.
fn hand_overs(found: WaitTotals, truth: GilTruth) -> BarCheck {
    let (time, number) = (found.waits_ns - found.holds_ns, found.waits - found.holds);
    let mean = time as f64 / number as f64;
    let off = 100.0 * (mean / truth.interval_ns as f64 - 1.0).abs();
    BarCheck::at_most("a hand-over, of the switch interval", off, HAND_OVER, "%")
}

/// What is left with a tenth of the interval is short.
fn bars(row: ResultRow) -> ResultRow {
    const SHORT: &str = "2 ms of waiting a message in three waits, and to each wait the victim's \
                         clock counts some 20 us of its own way into the lock and out of it";
    if row.truth_ns > row.messages as i64 * 4_000_000 {
        return row;
    }
    row.with_bar("total", 5.0, SHORT)
        .with_bar(compare::OTHER_PARTS, 5.0, SHORT)
}

fn case(
    context: &Context<'_>,
    set: &GilSetup,
    name: &str,
    rival: Rival,
    switch_us: u32,
) -> Result<[ResultRow; 2]> {
    let options = venue::VenueOptions {
        // On the rival's CPU a message could be sent and have to wait for its softirq until the
        // rival makes room.
        cpu: cpu::pair().map(|(ingest, _)| ingest),
        ..venue::VenueOptions::of(RATE, context.messages(RATE, 6.0))
    };
    let bench = set.bench(options, rival, switch_us)?;
    let holder = process::thread(bench.victim.pid(), "rival")?;
    let mut run = observe(context, bench, &[])?;
    let case = |truth| ComparedCase {
        experiment: GIL.name,
        case: name,
        truth,
        part: "lock_wait",
    };
    let is = |row: &BlameEntry| row.tid == Some(holder) && row.begins("the GIL, held by ");
    let mut blamed = run.blamed(
        case("the rival thread, by /proc; its log of the calls that do not yield"),
        is,
    );
    let interval_ns = i64::from(switch_us) * 1_000;
    let truth = set.truth(&run.truth.victim.marks, rival, switch_us)?;
    let found = WaitTotals::of(run.blame.rows("lock_wait").filter(|row| is(row)));
    // A wake-up that was not observed may have been a release.
    let missed = run.missed_switches();
    let excused = 100.0 * (missed.rebuilt + missed.unobserved) as f64 / found.waits as f64;
    let shares = truth.share_errors(&found).map(|share| {
        BarCheck::at_most(share.name, share.points, share.at_most + excused, "points")
    });
    blamed.checks.extend(shares);
    if rival == Rival::Bytecode {
        blamed.checks.push(hand_overs(found, truth));
    }
    let holds = |of: WaitTotals| {
        let (held, all) = (of.holds_ns as f64 / 1e9, of.waits_ns as f64 / 1e9);
        format!("{} of {}, {held:.3} s of {all:.3} s", of.holds, of.waits)
    };
    blamed.remarks.push(format!(
        "uninterruptible holds among the waits: {}; by its clock {}; by its rival's calls {}; the rival was \
         without a CPU for {:.3} s",
        holds(found),
        holds(truth.by_clock),
        holds(truth.by_calls),
        truth.holder.run_delay_ns as f64 / 1e9,
    ));
    let marks = &mut run.truth.victim.marks;
    *marks = gil::split_at_timeouts(marks, interval_ns);
    let waited = compare::row(
        &run,
        case("the victim's clock around re-entry, less its CPU time and run_delay there"),
    );
    Ok([bars(waited), blamed])
}

/// How much is left of the lock-wait of a message, and whether that is what is truly left.
fn fallen(slow: &ResultRow, fast: &ResultRow) -> [BarCheck; 2] {
    let a_message = |ns: i64, row: &ResultRow| ns as f64 / row.messages as f64;
    let found = a_message(fast.found_ns, fast) / a_message(slow.found_ns, slow);
    let truth = a_message(fast.truth_ns, fast) / a_message(slow.truth_ns, slow);
    [
        BarCheck::at_most("lock-wait left", 100.0 * found, LEFT, "%"),
        BarCheck::at_most(
            "error of what is left",
            100.0 * (found / truth - 1.0).abs(),
            // Both totals may be off by their bar.
            2.0 * MAX_TOTAL,
            "%",
        ),
    ]
}

fn call_lengths(holds: &[GilHold]) -> String {
    let mut lengths: Vec<i64> = holds.iter().map(|hold| hold.to_ns - hold.from_ns).collect();
    lengths.sort_unstable();
    let millis = |index: usize| lengths.get(index).map_or(0.0, |&ns| ns as f64 / 1e6);
    format!(
        "{} calls, median {:.1} ms, longest {:.1} ms",
        lengths.len(),
        millis(lengths.len() / 2),
        millis(lengths.len().saturating_sub(1)),
    )
}
