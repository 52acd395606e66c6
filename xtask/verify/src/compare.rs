//! The agent's parts compared with the true ones, message by message.

use crate::observe::{JoinedMessage, ObservedRun};
use crate::row::counts;
use crate::truth::Timeline;
use crate::{BarCheck, ResultRow};
use lab::quantiles::Quantiles;

/// The largest deviation of a total, per cent of the truth.
pub(super) const MAX_TOTAL: f64 = 2.0;
/// The largest deviation of the other parts, per cent of the injected amount.
pub(super) const MAX_OTHERS: f64 = 2.0;
/// Run queue and throttle together, where the truth does not distinguish them by message.
pub(super) const RUNNABLE: &str = "run_queue+throttle";
/// The name of that check.
pub(super) const OTHER_PARTS: &str = "other parts";
/// The names of the checks of a message's error.
pub(super) const MEDIAN: &str = "median error";
pub(super) const P99: &str = "p99 error";
/// The largest error of a message: median and 99th percentile, microseconds.
pub(super) const MAX_MEDIAN_US: f64 = 200.0;
pub(super) const MAX_P99_US: f64 = 2_000.0;

/// The case that is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct ComparedCase<'a> {
    pub(super) experiment: &'static str,
    pub(super) case: &'a str,
    pub(super) truth: &'static str,
    /// The injected part.
    pub(super) part: &'static str,
}

/// A part, the agent's figure and the true one, nanoseconds.
type Compared = (&'static str, i64, i64);

/// Returns the row of a case.
pub(super) fn row(run: &ObservedRun, case: ComparedCase<'_>) -> ResultRow {
    let timeline = Timeline::of(&run.truth.victim.marks);
    let joined = run.joined();
    let mut totals: Vec<Compared> = Vec::new();
    let mut differences = Vec::with_capacity(joined.len());
    for message in &joined {
        let parts = parts(message, &timeline, case.part == RUNNABLE);
        if totals.is_empty() {
            totals = parts.map(|(name, _, _)| (name, 0, 0)).to_vec();
        }
        for (total, (name, found, truth)) in totals.iter_mut().zip(parts) {
            total.1 += found;
            total.2 += truth;
            if name == case.part {
                differences.push(found - truth);
            }
        }
    }
    let of = |name: &str| totals.iter().find(|total| total.0 == name);
    let (found_ns, truth_ns) = of(case.part).map_or((0, 0), |total| (total.1, total.2));
    let leak = others(&totals, case.part)
        .into_iter()
        .max_by_key(|(_, ns)| ns.abs());
    let stolen = stolen(&joined, &timeline);
    let mut row = ResultRow {
        experiment: case.experiment,
        case: case.case.to_owned(),
        truth: case.truth,
        quantity: case.part,
        messages: joined.len(),
        truth_ns,
        found_ns,
        errors: Quantiles::of_errors(differences),
        leak,
        unknown: run.unknown(),
        checks: counts(run, run.truth.sent.len().saturating_sub(joined.len())),
        remarks: stolen
            .into_iter()
            .chain(run.missed_switches().remark())
            .collect(),
    };
    row.checks.extend(bars(&row));
    row
}

/// Returns a remark on time in which the thread neither ran by its CPU clock nor waited, if that is
/// above 0.1 %. The agent counts it as on-cpu.
fn stolen(joined: &[JoinedMessage<'_>], timeline: &Timeline) -> Option<String> {
    let ages = joined
        .iter()
        .map(|message| message.found.age_ns)
        .sum::<i64>();
    let spent = joined
        .iter()
        .map(|message| timeline.between(message.out_of_flight_ns(), message.record.handed_off_ns));
    let stolen = spent.map(|spent| spent.stolen).sum::<i64>();
    let share = 100.0 * stolen as f64 / ages as f64;
    (share > 0.1).then(|| {
        format!(
            "{share:.2}% of the ages the thread had the CPU by the scheduler and not by its CPU \
             clock (interrupts, the hypervisor)"
        )
    })
}

/// Returns the deviations of the parts that were not injected.
///
/// Run queue and on-cpu count together here: the kernel does not read its clock anew between a
/// wake-up that preempts and the switch it leads to (`rq_clock_skip_update` in `wakeup_preempt`,
/// kernel/sched/core.c), so what lies between is CPU time of the woken thread by its account, and
/// run_delay knows nothing of it. The agent counts it as run queue. It is the rest of the interrupt
/// and the way out of the idle state: in a virtual machine, 20 us a wake-up.
fn others(totals: &[Compared], part: &str) -> Vec<(&'static str, i64)> {
    const TOGETHER: [&str; 2] = ["run_queue", "on_cpu"];
    let together = !TOGETHER.contains(&part) && part != RUNNABLE;
    let mut others = Vec::with_capacity(totals.len());
    let mut both = 0;
    for &(name, found, truth) in totals.iter().filter(|total| total.0 != part) {
        if together && TOGETHER.contains(&name) {
            both += found - truth;
        } else {
            others.push((name, found - truth));
        }
    }
    if together {
        others.push(("run_queue+on_cpu", both));
    }
    others
}

/// Returns the usual bars.
pub(super) fn bars(row: &ResultRow) -> Vec<BarCheck> {
    let per_cent = |ns: i64| 100.0 * ns.abs() as f64 / row.truth_ns as f64;
    let micros = |ns: i64| ns as f64 / 1e3;
    let mut checks = vec![
        BarCheck::at_most(
            "total",
            per_cent(row.found_ns - row.truth_ns),
            MAX_TOTAL,
            "%",
        ),
        BarCheck::at_most(MEDIAN, micros(row.errors.p50_ns), MAX_MEDIAN_US, "us"),
        BarCheck::at_most(P99, micros(row.errors.p99_ns), MAX_P99_US, "us"),
    ];
    if let Some((_, ns)) = row.leak {
        checks.push(BarCheck::at_most(
            OTHER_PARTS,
            per_cent(ns),
            MAX_OTHERS,
            "%",
        ));
    }
    checks
}

fn parts(message: &JoinedMessage<'_>, timeline: &Timeline, merged: bool) -> [Compared; 6] {
    let start = message.out_of_flight_ns();
    let truth = timeline.between(start, message.record.handed_off_ns);
    let found = |part: &'static str, truth: i64| (part, message.found.part(part), truth);
    let (mut queue, mut throttle) = (
        found("run_queue", truth.run_queue),
        found("throttle", truth.throttle),
    );
    if merged {
        queue = (RUNNABLE, queue.1 + throttle.1, queue.2 + throttle.2);
        throttle = ("throttle", 0, 0);
    }
    [
        queue,
        throttle,
        found("on_cpu", truth.on_cpu + truth.stolen),
        found("lock_wait", truth.lock),
        found("blocked", truth.asleep),
        (
            "network",
            message.found.stage("in_flight"),
            start - message.sent.sent_monotonic_ns,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_distinguish_is_compared_together() {
        let totals = [
            ("run_queue", 90, 0),
            ("on_cpu", 10, 95),
            ("lock_wait", 1000, 900),
            ("blocked", 0, 7),
        ];
        assert_eq!(
            others(&totals, "lock_wait"),
            [("blocked", -7), ("run_queue+on_cpu", 5)]
        );
        assert_eq!(
            others(&totals, "run_queue"),
            [("on_cpu", -85), ("lock_wait", 100), ("blocked", -7)]
        );
    }
}
