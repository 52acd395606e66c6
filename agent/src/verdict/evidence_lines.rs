//! The evidence in words.

use super::{
    evidence::{CpuUse, Evidence},
    measures::{share_of_age, share_of_part},
};
use crate::domain::{
    Part, Stage,
    units::{HumanDuration, HumanPercent, counted, human_name, sanitize},
};

/// Shares below this are not mentioned.
const MIN_SHARE: f64 = 0.01;

/// One figure per line.
pub(super) fn evidence_lines(e: &Evidence) -> Vec<String> {
    let mut lines = Vec::new();
    let figures = &e.figures;
    if let Some(age) = &figures.age {
        lines.push(format!(
            "age p50 {} p99 {}",
            HumanDuration::from(age.p50_ns),
            HumanDuration::from(age.p99_ns)
        ));
    }
    for part in Part::ALL {
        let share = share_of_age(e, part);
        if share.ratio() >= MIN_SHARE {
            lines.push(format!("{} {share}", human_name(part.name())));
        }
    }
    let sums = figures.sums_without_skew();
    let held_back = HumanPercent {
        part: sums.stage(Stage::HeldBack),
        whole: sums.total(),
    };
    if held_back.ratio() >= MIN_SHARE {
        lines.push(format!(
            "held back at the sender, because this process did not read: {held_back}"
        ));
    }
    if figures.skew.messages > 0 {
        lines.push(format!(
            "stamped ahead of our clock: {} of {}, by {} at most",
            figures.skew.messages,
            counted(figures.messages, "message"),
            HumanDuration::from(figures.skew.largest_ns)
        ));
    }
    if let Some(slope) = e.flow.age_slope {
        lines.push(format!("the age grows by {slope:.2} s/s"));
    }
    lines.extend(e.cpu.as_ref().map(cpu_line));
    for row in &e.blame {
        if let Some(culprit) = &row.culprit {
            lines.push(format!(
                "{}: {} {}",
                human_name(row.part.name()),
                sanitize(&culprit.to_string()),
                share_of_part(e, row)
            ));
        }
    }
    lines
}

/// CPU use and limit.
fn cpu_line(cpu: &CpuUse) -> String {
    let cores = |used: Option<f64>| {
        used.map_or_else(|| "unknown use".to_owned(), |used| format!("{used:.2}"))
    };
    match &cpu.limit {
        None if cpu.path == "/" => "CPU: no limit".to_owned(),
        None => format!(
            "CPU: {} cores ({}), no limit",
            cores(cpu.cores),
            sanitize(&cpu.path)
        ),
        Some(limit) => format!(
            "CPU: {} of {:.2} cores ({}), {} of {} throttled",
            cores(limit.used),
            limit.cores,
            sanitize(&limit.path),
            limit.throttled_periods,
            counted(limit.periods, "period")
        ),
    }
}
