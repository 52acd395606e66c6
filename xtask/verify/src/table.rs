//! The table as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{AccuracyReport, BarCheck, ResultRow};

const HEAD: [&str; 12] = [
    "experiment",
    "case",
    "of",
    "messages",
    "truth",
    "agent",
    "total",
    "p50",
    "p99",
    "others",
    "unknown",
    "",
];

/// The rows as a table in Markdown.
pub(super) fn markdown(report: &AccuracyReport) -> String {
    let line = |cells: &[String; 12]| format!("| {} |\n", cells.join(" | "));
    let rule = "|---|---|---|--:|--:|--:|--:|--:|--:|---|--:|---|\n";
    let rows: String = report.rows.iter().map(|row| line(&cells(row))).collect();
    let mut reasons = BTreeMap::<&str, Vec<String>>::new();
    for row in &report.rows {
        for check in &row.checks {
            let Some(note) = check.note else { continue };
            let of = &mut *reasons.entry(note).or_default();
            let here = format!("{} ({})", row.experiment, row.case);
            let bar = format!("{} {}{}", check.name, check.at_most, check.unit);
            of.push(format!("{here}: {bar}"));
        }
    }
    let reasons = reasons.into_iter().fold(String::new(), |text, (note, of)| {
        text + &format!("- {}: {note}\n", of.join("; "))
    });
    format!(
        "{}\n\n{}{rule}{rows}\nBars other than the usual ones, and why:\n\n{reasons}",
        report.machine,
        line(&HEAD.map(str::to_owned))
    )
}

/// One line per row, then what failed, the reasons for other bars, and the remarks.
pub(super) fn text(report: &AccuracyReport) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(report.rows.iter().map(cells));
    let mut widths = [0; 12];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = format!("{}\n\n", report.machine);
    for line in &lines {
        for (index, (cell, width)) in line.iter().zip(widths).enumerate() {
            // Words to the left, figures to the right.
            let _ = if (3..11).contains(&index) {
                write!(text, "{cell:>width$}  ")
            } else {
                write!(text, "{cell:<width$}  ")
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for row in &report.rows {
        notes(&mut text, row);
    }
    for (experiment, error) in &report.failed {
        let _ = writeln!(text, "{experiment} could not be run: {error}");
    }
    text
}

fn cells(row: &ResultRow) -> [String; 12] {
    let others = row.leak.map_or_else(String::new, |(part, ns)| {
        format!("{} {part}", per_cent(ns, row.truth_ns))
    });
    let verdict = if row.passes() { "pass" } else { "FAIL" };
    // Of sums only, there is no error of a message.
    let of_a_message = |ns: i64| match row.errors.max_ns {
        0 => String::new(),
        _ => time(ns),
    };
    [
        row.experiment.to_owned(),
        row.case.clone(),
        row.quantity.to_owned(),
        row.messages.to_string(),
        seconds(row.truth_ns),
        seconds(row.found_ns),
        per_cent(row.found_ns - row.truth_ns, row.truth_ns),
        of_a_message(row.errors.p50_ns),
        of_a_message(row.errors.p99_ns),
        others,
        row.unknown.to_string(),
        verdict.to_owned(),
    ]
}

fn notes(text: &mut String, row: &ResultRow) {
    let name = format!("{} {}", row.experiment, row.case);
    for BarCheck {
        name: what,
        figure,
        at_most,
        unit,
        note,
    } in row
        .checks
        .iter()
        .filter(|check| !check.passes() || check.note.is_some())
    {
        let failed = if figure <= at_most { "" } else { "FAIL " };
        let reason = note.map_or_else(String::new, |note| format!(" ({note})"));
        let _ = writeln!(
            text,
            "{failed}{name}: {what} {figure:.4}{unit}, bar {at_most}{unit}{reason}"
        );
    }
    for remark in &row.remarks {
        let _ = writeln!(text, "{name}: {remark}");
    }
}

fn seconds(ns: i64) -> String {
    format!("{:.3}s", ns as f64 / 1e9)
}

/// Nothing where the whole is too small for a share of it to mean anything.
fn per_cent(ns: i64, of: i64) -> String {
    if of == 0 || ns.abs() > of.abs() {
        return String::new();
    }
    format!("{:+.2}%", 100.0 * ns as f64 / of as f64)
}

fn time(ns: i64) -> String {
    match ns {
        ..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{:.1}us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}ms", ns as f64 / 1e6),
        _ => format!("{:.1}s", ns as f64 / 1e9),
    }
}
