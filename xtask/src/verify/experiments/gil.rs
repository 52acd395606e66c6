//! Lock-wait: the GIL of a CPython process, handed off late or not at all.

use anyhow::Result;

use crate::lab::gil::{self, Hold, Rival, Set};
use crate::lab::{cpu, venue};
use crate::verify::compare::{self, Case, TOTAL};
use crate::verify::observe::observe;
use crate::verify::{Check, Context, Experiment, Row};

pub(super) const GIL: Experiment = Experiment {
    name: "gil",
    about: "a rival thread holds the GIL: in bytecode, with two switch intervals, and in C calls of 25 ms",
    run: gil,
};

/// Above what one message per receive call allows at 5 ms a hand-off, and below what many do: there is a queue, and
/// it ends.
const RATE: f64 = 120.0;

/// CPython's own switch interval, and one of a tenth.
const SLOW_US: u32 = 5_000;
const FAST_US: u32 = 500;

/// With a tenth of the switch interval no more than this may be left of the lock-wait, per cent.
const LEFT: f64 = 30.0;

fn gil(context: &Context<'_>) -> Result<Vec<Row>> {
    let set = Set::prepare(context.python)?;
    let case =
        |name: &str, rival: Rival, switch_us: u32| case(context, &set, name, rival, switch_us);
    let slow = case("bytecode, 5 ms", Rival::Bytecode, SLOW_US)?;
    let mut fast = case("bytecode, 0.5 ms", Rival::Bytecode, FAST_US)?;
    fast.checks.extend(fallen(&slow, &fast));
    let calls = Rival::Calls {
        hold_us: 25_000,
        gap_us: 5_000,
    };
    let mut calls = case("C calls, 25 ms", calls, SLOW_US)?;
    calls.remarks.push(told(&set.holds()?));
    calls.remarks.push(set.python.version.clone());
    Ok(vec![slow, fast, calls])
}

fn case(
    context: &Context<'_>,
    set: &Set,
    name: &str,
    holder: Rival,
    switch_us: u32,
) -> Result<Row> {
    let options = venue::Options {
        // On the rival's CPU a message could be sent and have to wait for its softirq until the rival makes room.
        cpu: cpu::pair().map(|(ingest, _)| ingest),
        ..venue::Options::of(RATE, context.messages(RATE, 6.0))
    };
    let mut run = observe(context, set.bench(options, holder, switch_us)?, &[])?;
    let marks = &mut run.truth.victim.marks;
    *marks = gil::in_turns(marks, i64::from(switch_us) * 1_000);
    let case = Case {
        experiment: GIL.name,
        case: name,
        truth: "the victim's clock around re-entry, less its CPU time and run_delay there",
        part: "lock_wait",
    };
    Ok(compare::row(&run, case).with_bar(
        compare::OTHER_PARTS,
        5.0,
        "a message is woken several times, and the kernel's run_delay begins some microseconds after each wake-up",
    ))
}

/// How much is left of the lock-wait of a message, and whether that is what is truly left.
fn fallen(slow: &Row, fast: &Row) -> [Check; 2] {
    let a_message = |ns: i64, row: &Row| ns as f64 / row.messages as f64;
    let found = a_message(fast.found_ns, fast) / a_message(slow.found_ns, slow);
    let truth = a_message(fast.truth_ns, fast) / a_message(slow.truth_ns, slow);
    [
        Check::at_most("lock-wait left", 100.0 * found, LEFT, "%"),
        Check::at_most(
            "error of what is left",
            100.0 * (found / truth - 1.0).abs(),
            // Both totals may be off by their bar.
            2.0 * TOTAL,
            "%",
        ),
    ]
}

fn told(holds: &[Hold]) -> String {
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
