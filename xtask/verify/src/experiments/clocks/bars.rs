//! The bars of each kind of stamp, and of a step of the clock.

use anyhow::{Result, ensure};

use super::age::{AgedMessage, ReportedStep, SLACK_NS};
use super::{CLOCKS, ClockCase};
use crate::observe::ObservedRun;
use crate::{BarCheck, MISSED, ResultRow, blame};
use lab::clock::{Resolution, SECOND};
use lab::quantiles::Quantiles;

/// The part of the stream after which whole-second stamps are narrowed to the bar, nanoseconds.
const SETTLED_NS: i64 = 10 * SECOND;
/// The largest width of narrowed bounds, ms.
const MAX_WIDTH_MS: f64 = 100.0;
/// Messages that may be on their way during a step.
const MAX_AMBIGUOUS: f64 = 5.0;
/// The largest distance of their stamps from the step, nanoseconds.
const MAX_FROM_STEP_NS: i64 = 30_000_000;
/// Hand-offs that may be late because the victim lost its CPU between its clock and its next
/// receive call, per cent.
const MAX_LATE_HAND_OFFS: f64 = 1.0;

/// Returns the row of a case.
pub(super) fn row(
    case: ClockCase,
    run: &ObservedRun,
    step: Option<ReportedStep>,
) -> Result<ResultRow> {
    let aged: Vec<AgedMessage<'_>> = run
        .joined()
        .into_iter()
        .map(|m| AgedMessage::new(m, step))
        .collect();
    ensure!(!aged.is_empty(), "no message was joined");
    // Messages in whole seconds count from when their bounds are narrowed.
    let settles = if case.resolution == Resolution::Seconds {
        SETTLED_NS
    } else {
        0
    };
    let begin = aged[0].message.sent.sent_monotonic_ns;
    let settled = |m: &&AgedMessage<'_>| m.message.sent.sent_monotonic_ns - begin >= settles;
    let compared: Vec<&AgedMessage<'_>> = aged.iter().filter(settled).collect();
    let mut row = ResultRow {
        experiment: CLOCKS.name,
        case: case.name.to_owned(),
        truth: "the victim's clock at the hand-off, the venue's at the stamp before it was cut",
        quantity: "age",
        messages: compared.len(),
        truth_ns: compared.iter().map(|m| m.truth).sum(),
        found_ns: compared.iter().map(|m| m.found()).sum(),
        errors: Quantiles::of_errors(compared.iter().map(|m| m.found() - m.truth)),
        leak: None,
        unknown: run.unknown(),
        checks: vec![
            BarCheck::none("sums that do not hold", run.inexact()),
            blame::sums(&run.blame),
            BarCheck::none(MISSED, run.truth.sent.len().saturating_sub(aged.len())),
        ],
        remarks: vec![hand_offs(&aged, step)],
    };
    if case.resolution == Resolution::Seconds {
        coarse(&mut row, &aged, &compared, case.burst == 1);
    } else {
        fine(&mut row, &aged, step);
    }
    if let Some(step) = step {
        let steps = run.summary["health"]["anomalies"]["clock_steps"].as_u64();
        stepped(&mut row, &aged, step);
        let unreported = BarCheck::none(
            "steps of the clock that are not reported",
            usize::from(steps != Some(1)),
        );
        row.checks.push(unreported);
    }
    Ok(row)
}

fn per_cent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// How far the hand-offs of agent and victim are apart: that is no matter of stamps.
fn hand_offs(aged: &[AgedMessage<'_>], step: Option<ReportedStep>) -> String {
    let by = step.map_or(0, |step| step.by_ns);
    let errors = Quantiles::of_errors(aged.iter().map(|m| {
        let late = m.message.found.handed_off_ns - m.message.record.handed_off_utc_ns;
        // With a step there are two clocks.
        if late.abs() < (late - by).abs() {
            late
        } else {
            late - by
        }
    }));
    format!(
        "of it by the hand-off: median {:.1}us, p99 {:.1}us",
        errors.p50_ns as f64 / 1e3,
        errors.p99_ns as f64 / 1e3
    )
}

/// Stamps in whole seconds: rigorous bounds and narrowed ones. The width of those of `settled`
/// messages has a bar if the stream `narrows` them.
fn coarse(
    row: &mut ResultRow,
    aged: &[AgedMessage<'_>],
    settled: &[&AgedMessage<'_>],
    narrows: bool,
) {
    let rigorous = |m: &&AgedMessage<'_>| {
        let found = m.message.found;
        !m.within((found.age_ns - found.sent_resolution_ns, found.age_ns))
    };
    let narrowed: Vec<_> = aged
        .iter()
        .filter(|m| m.message.found.age_narrowed_ns.is_some())
        .collect();
    let wrong = narrowed.iter().filter(|m| !m.within(m.bounds())).count();
    let widths = Quantiles::of_errors(settled.iter().map(|m| m.bounds().1 - m.bounds().0));
    let ms = |ns: i64| ns as f64 / 1e6;
    row.checks.extend([
        BarCheck::none(
            "messages outside of their rigorous bounds",
            aged.iter().filter(rigorous).count(),
        ),
        BarCheck::at_most(
            "messages outside of their narrowed bounds",
            per_cent(wrong, narrowed.len()),
            0.1,
            "%",
        ),
    ]);
    if narrows {
        row.checks.extend([
            BarCheck::at_most(
                "median width after 10 s",
                ms(widths.p50_ns),
                MAX_WIDTH_MS,
                "ms",
            ),
            BarCheck::at_most(
                "p99 width after 10 s",
                ms(widths.p99_ns),
                MAX_WIDTH_MS,
                "ms",
            ),
        ]);
    }
    row.remarks.push(format!(
        "{} messages narrowed, {wrong} wrongly; after 10 s to {:.1}ms, p99 {:.1}ms, at most \
         {:.1}ms",
        narrowed.len(),
        ms(widths.p50_ns),
        ms(widths.p99_ns),
        ms(widths.max_ns)
    ));
}

/// Finer stamps: the age is the true one and at most a step of tag 52 more.
fn fine(row: &mut ResultRow, aged: &[AgedMessage<'_>], step: Option<ReportedStep>) {
    let unambiguous = |m: &&AgedMessage<'_>| step.is_none_or(|step| !m.is_off_by(step));
    let error = |m: &AgedMessage<'_>| m.message.found.age_ns - m.truth;
    let early = |m: &&AgedMessage<'_>| error(m) < -SLACK_NS;
    let late = |m: &&AgedMessage<'_>| error(m) > m.message.found.sent_resolution_ns + SLACK_NS;
    let late = aged.iter().filter(unambiguous).filter(late).count();
    row.checks.extend([
        BarCheck::none(
            "ages that are too small",
            aged.iter().filter(unambiguous).filter(early).count(),
        ),
        BarCheck::at_most(
            "ages that are too large by more than a step of tag 52",
            per_cent(late, aged.len()),
            MAX_LATE_HAND_OFFS,
            "%",
        ),
    ]);
}

/// A step: only what was on its way may be off by it.
fn stepped(row: &mut ResultRow, aged: &[AgedMessage<'_>], step: ReportedStep) {
    let off: Vec<_> = aged.iter().filter(|m| m.is_off_by(step)).collect();
    let since = |m: &AgedMessage<'_>| m.message.sent.sent_monotonic_ns - step.at_ns;
    let far = |m: &&&AgedMessage<'_>| since(m).abs() > MAX_FROM_STEP_NS;
    let before = |m: &&AgedMessage<'_>| since(m) < 0;
    let (earlier, later) = (
        aged.iter().filter(before).count(),
        aged.iter().filter(|m| !before(m)).count(),
    );
    row.checks.extend([
        BarCheck::none(
            "messages off by the step that were not on their way",
            off.iter().filter(far).count(),
        ),
        BarCheck::at_most(
            "messages off by the step",
            off.len() as f64,
            MAX_AMBIGUOUS,
            "",
        ),
        BarCheck::none(
            "sides of the step without messages",
            usize::from(earlier == 0) + usize::from(later == 0),
        ),
    ]);
    row.remarks.push(format!(
        "{earlier} messages before the step, {later} after it, {} off by it",
        off.len()
    ));
}
