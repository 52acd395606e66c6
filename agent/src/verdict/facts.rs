//! What a verdict rests on, in words.

use super::{
    evidence::{CpuUse, Evidence},
    words::{charged, share},
};
use crate::domain::{
    Part, Stage,
    units::{HumanDuration, HumanPercent, human_name, sanitize},
};

/// One fact each.
pub(crate) fn facts(e: &Evidence) -> Vec<String> {
    let mut facts = Vec::new();
    let f = &e.figures;
    if let Some(age) = &f.age {
        facts.push(format!(
            "age p50 {} p99 {}",
            HumanDuration::from(age.p50_ns),
            HumanDuration::from(age.p99_ns)
        ));
    }
    for part in Part::ALL {
        let share = share(e, part);
        if share.ratio() >= 0.01 {
            facts.push(format!("{} {share}", human_name(part.name())));
        }
    }
    let sums = f.sums_without_skew();
    let held_back = HumanPercent {
        part: sums.stage(Stage::HeldBack),
        whole: sums.total(),
    };
    if held_back.ratio() >= 0.01 {
        facts.push(format!(
            "held back at the sender, because we did not read: {held_back}"
        ));
    }
    if f.skew.messages > 0 {
        facts.push(format!(
            "stamped ahead of our clock: {} of {} messages, by {} at most",
            f.skew.messages,
            f.messages,
            HumanDuration::from(f.skew.largest_ns)
        ));
    }
    if let Some(slope) = e.flow.age_slope {
        facts.push(format!("the age grows by {slope:.2} s/s"));
    }
    if let Some(cpu) = &e.cpu {
        facts.push(used(cpu));
    }
    for row in &e.blame {
        if let Some(culprit) = &row.culprit {
            facts.push(format!(
                "{}: {} {}",
                human_name(row.part.name()),
                sanitize(&culprit.to_string()),
                charged(e, row)
            ));
        }
    }
    facts
}

/// What is used of the CPU, and of the limit.
fn used(cpu: &CpuUse) -> String {
    let cores =
        |used: Option<f64>| used.map_or("not counted".to_owned(), |used| format!("{used:.2}"));
    match &cpu.limit {
        None if cpu.path == "/" => "CPU: no limit".to_owned(),
        None => format!(
            "CPU: {} cores ({}), no limit",
            cores(cpu.cores),
            sanitize(&cpu.path)
        ),
        Some(limit) => format!(
            "CPU: {} of {:.2} cores ({}), {} of {} periods throttled",
            cores(limit.used),
            limit.cores,
            sanitize(&limit.path),
            limit.throttled_periods,
            limit.periods
        ),
    }
}
