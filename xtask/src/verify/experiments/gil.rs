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

/// A receive call and three calls per message, each with a hand-off of 5 ms, would allow 50 a second: now and then
/// there is a queue, and it ends.
const RATE: f64 = 45.0;

/// CPython's own switch interval, and one of a tenth.
const SLOW_US: u32 = 5_000;
const FAST_US: u32 = 500;

/// With a tenth of the switch interval no more than this may be left of the lock-wait, per cent.
const LEFT: f64 = 30.0;

fn gil(context: &Context<'_>) -> Result<Vec<Row>> {
    let set = Set::prepare(context.python)?;
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
    rows = rows.into_iter().map(bars).collect();
    rows[0].remarks.push(set.python.version.clone());
    if let [slow, fast, calls] = &mut rows[..] {
        fast.checks.extend(fallen(slow, fast));
        calls.remarks.push(told(&set.holds()?));
    }
    Ok(rows)
}

/// What is left with a tenth of the interval is short.
fn bars(row: Row) -> Row {
    const SHORT: &str = "2 ms of waiting a message in three waits, and to each wait the victim's clock counts \
        some 20 us of its own way into the lock and out of it";
    if row.truth_ns > row.messages as i64 * 4_000_000 {
        return row;
    }
    row.with_bar("total", 5.0, SHORT)
        .with_bar(compare::OTHER_PARTS, 5.0, SHORT)
}

fn case(context: &Context<'_>, set: &Set, name: &str, rival: Rival, switch_us: u32) -> Result<Row> {
    let options = venue::Options {
        // On the rival's CPU a message could be sent and have to wait for its softirq until the rival makes room.
        cpu: cpu::pair().map(|(ingest, _)| ingest),
        ..venue::Options::of(RATE, context.messages(RATE, 6.0))
    };
    let mut run = observe(context, set.bench(options, rival, switch_us)?, &[])?;
    let marks = &mut run.truth.victim.marks;
    *marks = gil::in_turns(marks, i64::from(switch_us) * 1_000);
    Ok(compare::row(
        &run,
        Case {
            experiment: GIL.name,
            case: name,
            truth: "the victim's clock around re-entry, less its CPU time and run_delay there",
            part: "lock_wait",
        },
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
