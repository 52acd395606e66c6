//! The agent's blame compared with the injected culprit.

use anyhow::Result;

use crate::compare::ComparedCase;
use crate::observe::ObservedRun;
use crate::{BarCheck, ResultRow};
use lab::blame::{Blame, BlameEntry};
use lab::quantiles::Quantiles;
use lab::rivals::Rivals;

/// The largest share of a part that may be charged to others than the culprit, per cent.
const MAX_OTHERS: f64 = 5.0;

/// The name of that check.
const CHARGED_TO_OTHERS: &str = "share of the part charged to others";

/// The largest deviation of shares among culprits, percentage points.
const MAX_SHARE_ERROR: f64 = 10.0;

/// The largest share of the age that may be charged to a lock, a quota or a call when there is no
/// culprit, per cent.
const MAX_WITHOUT_CULPRIT: f64 = 2.0;

/// Returns the check of every row: the rows of blame sum to their part, to the nanosecond.
pub(super) fn sums(blame: &Blame) -> BarCheck {
    BarCheck::none(
        "parts that their blame does not sum to",
        blame.inexact().len(),
    )
}

/// Returns a row: how much of a part is charged to the culprit; `case.truth` names the source.
pub(super) fn row(
    blame: &Blame,
    messages: usize,
    case: ComparedCase<'_>,
    is: impl Fn(&BlameEntry) -> bool,
) -> ResultRow {
    let (part, charged) = (blame.part(case.part), blame.charged(case.part, &is));
    let mut row = empty(blame, messages, case, quantity(case.part));
    (row.truth_ns, row.found_ns) = (part, charged);
    row.checks.push(others(charged, part));
    row.remarks.extend(most_charged(blame, case.part));
    row
}

/// Returns the check of how much of a part is charged to others than the culprit, nanoseconds.
pub(super) fn others(charged: i64, part: i64) -> BarCheck {
    let others = 100.0 - 100.0 * charged as f64 / part as f64;
    BarCheck::at_most(CHARGED_TO_OTHERS, others, MAX_OTHERS, "%")
}

/// Returns a row for a case without a culprit: no lock, no quota and no call is blamed.
pub(super) fn without_culprit(blame: &Blame, messages: usize, case: ComparedCase<'_>) -> ResultRow {
    let parts = ["lock_wait", "throttle", "blocked"];
    let charged: i64 = parts.iter().map(|part| blame.part(part)).sum();
    let age = blame.age();
    let mut row = empty(blame, messages, case, "blame: nobody");
    (row.truth_ns, row.found_ns) = (age, age - charged);
    let share = 100.0 * charged as f64 / age as f64;
    row.checks.push(BarCheck::at_most(
        "share of the age charged to anybody",
        share,
        MAX_WITHOUT_CULPRIT,
        "%",
    ));
    row
}

/// Returns a row: how much of the run queue is charged to the rivals, and how it is divided. When
/// other processes used their CPU too, the bar allows for these.
pub(super) fn runners(
    runners: &Rivals<'_>,
    run: &ObservedRun,
    case: ComparedCase<'_>,
) -> Result<ResultRow> {
    let victim = run.truth.victim.usage.schedstat.on_cpu_ns;
    let foreign = 100.0 * (1.0 - runners.share(victim)?);
    let mut row = run.blamed(case, |row| runners.are_charged_by(row));
    if foreign > MAX_OTHERS / 5.0 {
        let bar = (MAX_OTHERS + foreign).round();
        row = row.with_bar(
            CHARGED_TO_OTHERS,
            bar,
            "others had that CPU too, by /proc/stat",
        );
    }
    let largest = runners.largest_share_error(&run.blame)?;
    row.checks.push(BarCheck::at_most(
        "a rival's share of the CPU",
        largest,
        MAX_SHARE_ERROR,
        "points",
    ));
    Ok(row)
}

fn empty(
    blame: &Blame,
    messages: usize,
    case: ComparedCase<'_>,
    quantity: &'static str,
) -> ResultRow {
    ResultRow {
        experiment: case.experiment,
        case: case.case.to_owned(),
        truth: case.truth,
        quantity,
        messages,
        truth_ns: 0,
        found_ns: 0,
        errors: Quantiles::default(),
        leak: None,
        unknown: 0,
        checks: vec![sums(blame)],
        remarks: Vec::new(),
    }
}

/// Returns the quantity of a row, which begins with [`super::BLAME`].
pub(super) fn quantity(part: &str) -> &'static str {
    match part {
        "run_queue" => "blame: run_queue",
        "throttle" => "blame: throttle",
        "lock_wait" => "blame: lock_wait",
        _ => "blame: blocked",
    }
}

/// Lists the culprits of a part with their shares.
fn most_charged(blame: &Blame, part: &str) -> Option<String> {
    let words: Vec<String> = blame
        .rows(part)
        .map(|row| {
            let who = row.culprit.as_deref().unwrap_or("all others");
            let share = 100.0 * row.ns as f64 / blame.part(part) as f64;
            format!("{who} {share:.2}%")
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blame(rows: &[(i32, i64)]) -> Blame {
        let whole: i64 = rows.iter().map(|row| row.1).sum();
        let rows: Vec<_> = rows
            .iter()
            .map(|(tid, ns)| {
                serde_json::json!({"part": "lock_wait",
                "culprit": format!("lock 0x70, held by rival/{tid}"),
                    "tid": tid, "ns": ns, "waits": 1, "waits_ns": ns, "longest_ns": ns, "holds": 0,
                    "holds_ns": 0})
            })
            .collect();
        let summary = serde_json::json!({"sessions": [{"matrix": {"in_app": {"lock_wait": whole}},
        "blame": rows}]});
        Blame::of(&summary).expect("a summary")
    }

    #[test]
    fn a_part_charged_to_others_or_to_nobody_fails() {
        let case = ComparedCase {
            experiment: "mutex",
            case: "held",
            truth: "/proc",
            part: "lock_wait",
        };
        let passes = |blame: &Blame| row(blame, 9, case, |row| row.tid == Some(7)).passes();
        assert!(passes(&blame(&[(7, 95), (8, 5)])));
        assert!(!passes(&blame(&[(7, 94), (8, 6)])));
        assert!(!passes(&blame(&[(8, 100)])));
        assert!(!passes(&blame(&[])));
        assert!(!without_culprit(&blame(&[(7, 3)]), 9, case).passes());
    }
}
