//! A real engine: QuickFIX reads the session, and the truth is what the application behind it says.
//!
//! In mode thread the engine shares its process, and so the GIL, with the demo's processor; in mode
//! process the processor runs on its own. The clocks are read inside `fromApp`, right before it
//! returns. QuickFIX takes up to 8,192 bytes with one receive call, so without `--handoff` a
//! message's age ends with its whole read.

mod join;
mod observe;
mod rejects;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use self::join::{
    SLACK_NS, before, begun_utc_ns, below_1_ms, blamed, by_call, lateness, ms, of_calls, pairs, row,
};
use self::observe::{EngineCase, EngineRun, observe};
use crate::{BarCheck, Context, Experiment, ResultRow};
use lab::quantiles::Quantiles;
use lab::quickfix::{self, Processor};

/// See the module.
pub(super) const ENGINE: Experiment = Experiment {
    name: "engine",
    about: "QuickFIX beside a processor that holds the GIL, or with it in a process of its own",
    run,
};

/// The engine misses a message, asks for it, and retains what came after it: its calls do not
/// follow the reads. No message may be given another one's call.
pub(super) const GAP: Experiment = Experiment {
    name: "engine-gap",
    about: "a message is lost on its way to QuickFIX",
    run: run_gap,
};

/// The incident's end: the engine rejects what is too old, and logs out.
pub(super) const REJECTS: Experiment = Experiment {
    name: "engine-rejects",
    about: "QuickFIX rejects messages older than MaxLatency",
    run: run_rejects,
};

/// The application's callback; it returns when the application is through with one message.
const FROM_APP: &str = "SwigDirector_Application::fromApp";

/// The same, when it is entered.
const FROM_APP_ENTRY: &str = "SwigDirector_Application::fromApp@entry";

/// `FIX::Session::next(std::string const&, FIX::UtcTimeStamp const&, bool)`, entered once for every
/// message of a read, those that are rejected included.
const NEXT_ENTRY: &str = "_ZN3FIX7Session4nextERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKNS_12UtcTimeStampEb@entry";

fn run(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    use Processor::{Process, Thread};
    let returned = Some(FROM_APP);
    let entered = Some(FROM_APP_ENTRY);
    let mut rows = Vec::new();
    let mut add = |case: EngineCase, row: fn(&EngineRun) -> ResultRow| -> Result<()> {
        let run = observed(context, case)?;
        rows.push(row(&run));
        rows.extend(blamed(&run));
        Ok(())
    };
    add(
        EngineCase::new("thread, --handoff fromApp", Thread, 8.0, returned),
        by_function,
    )?;
    add(EngineCase::new("thread", Thread, 8.0, None), by_read)?;
    add(
        EngineCase::new("process, --handoff fromApp", Process, 4.0, returned),
        by_function,
    )?;
    add(EngineCase::new("process", Process, 4.0, None), by_read)?;
    add(
        EngineCase::new("process, --handoff fromApp@entry", Process, 4.0, entered),
        at_entry,
    )?;
    Ok(rows)
}

fn run_gap(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let case = EngineCase {
        loses: true,
        ..EngineCase::new(
            "thread, --handoff fromApp",
            Processor::Thread,
            4.0,
            Some(FROM_APP),
        )
    };
    let run = observed(context, case)?;
    Ok([gap(&run)?].into_iter().chain(blamed(&run)).collect())
}

fn run_rejects(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let case = EngineCase {
        max_latency: Some(rejects::MAX_LATENCY),
        // The ages must climb, whatever else runs here: CPython lets a waiting thread in after 5
        // ms, so long holds leave the engine no time for so many messages.
        rate: 1200.0,
        elements: 1_000_000,
        // The engine's logout ends it before.
        ..EngineCase::new(
            "thread, --handoff next@entry",
            Processor::Thread,
            25.0,
            Some(NEXT_ENTRY),
        )
    };
    let run = observed(context, case)?;
    Ok([rejects::row(&run)?]
        .into_iter()
        .chain(blamed(&run))
        .collect())
}

fn observed(context: &Context<'_>, case: EngineCase) -> Result<EngineRun> {
    let engine = quickfix::engine(Path::new("python3"))?;
    observe(context, &engine, case).context(case.name)
}

/// The hand-off is the return of `fromApp`.
fn by_function(run: &EngineRun) -> ResultRow {
    let pairs = pairs(run);
    let mut row = of_calls(run, &pairs);
    let other = pairs.iter().filter(|(_, m)| !by_call(m)).count();
    row.checks
        .push(BarCheck::none("application messages without a call", other));
    row
}

/// The hand-off is the end of the read: late for all but its last message, early for none.
fn by_read(run: &EngineRun) -> ResultRow {
    let pairs = pairs(run);
    let late = lateness(&pairs);
    let mut row = row(run, &pairs, Quantiles::of_errors(late.iter().copied()));
    // The last message of each read.
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for (delivered, message) in &pairs {
        let end = last.entry(message.received_ns).or_default();
        *end = delivered.utc_ns.max(*end);
    }
    let from_last = Quantiles::of_errors(
        pairs
            .iter()
            .map(|(_, m)| m.handed_off_ns - last[&m.received_ns]),
    );
    row.checks.push(before(&late));
    row.remarks.push(format!(
        "the hand-off is the end of the read: later than fromApp by {} at the median and {} at \
         p99, later than the last fromApp of the read by {} and {}",
        ms(row.errors.p50_ns),
        ms(row.errors.p99_ns),
        ms(from_last.p50_ns),
        ms(from_last.p99_ns)
    ));
    row
}

/// The hand-off is the entry of `fromApp`, and nothing keeps the GIL from it.
fn at_entry(run: &EngineRun) -> ResultRow {
    let pairs = pairs(run);
    let early: Vec<i64> = pairs
        .iter()
        .map(|(d, m)| begun_utc_ns(d) - m.handed_off_ns)
        .collect();
    let mut row = row(run, &pairs, Quantiles::of_errors(early.iter().copied()));
    row.truth = "clock read as fromApp begins";
    row.truth_ns = pairs.iter().map(|(d, _)| d.age_at_begin_ns()).sum();
    row.checks.extend([
        below_1_ms(row.errors),
        BarCheck::none(
            "entries after the truth",
            early.iter().filter(|&&ns| ns < -SLACK_NS).count(),
        ),
    ]);
    row
}

fn gap(run: &EngineRun) -> Result<ResultRow> {
    ensure!(
        run.heard.iter().any(|heard| heard.msg_type == "2"),
        "the engine asked for no resend"
    );
    let pairs = pairs(run);
    let (called, others): (Vec<_>, Vec<_>) = pairs.iter().copied().partition(|(_, m)| by_call(m));
    let mut row = of_calls(run, &called);
    let early = lateness(&others)
        .iter()
        .filter(|&&ns| ns < -SLACK_NS)
        .count();
    row.remarks.push(format!(
        "{} messages whose calls could not be distinguished end with their read; the engine was \
         through with {early} of them later",
        others.len(),
    ));
    Ok(row)
}
