//! The matrix of a session as a table.

use std::fmt::Write as _;

use crate::{
    domain::{
        Part, Stage,
        units::{HumanDuration, HumanPercent, human_name},
    },
    outputs::text::style::TextStyle,
    stats::Figures,
};

/// Stages down, parts across, each cell with its share of the summed age. Parts without any time
/// have no column; a part other than the network with half of the age or more stands out.
pub(super) fn matrix(text: &mut String, f: &Figures, style: TextStyle) {
    let sums = f.sums_without_skew();
    let whole = sums.total();
    let parts: Vec<_> = Part::ALL
        .into_iter()
        .filter(|&part| sums.part(part) != 0)
        .collect();
    let cell = |ns: i128| {
        if ns == 0 {
            "-".to_owned()
        } else {
            format!(
                "{} {:>6}",
                HumanDuration(ns),
                HumanPercent { part: ns, whole }
            )
        }
    };
    let _ = write!(text, "  {:<10}", "");
    for part in &parts {
        let _ = write!(text, " {:>14}", human_name(part.name()));
    }
    let _ = writeln!(text, " {:>14}", "all");
    for stage in Stage::ALL {
        let _ = write!(text, "  {:<10}", human_name(stage.name()));
        for &part in &parts {
            let _ = write!(text, " {:>14}", cell(sums.get(stage, part)));
        }
        let _ = writeln!(text, " {:>14}", cell(sums.stage(stage)));
    }
    let _ = write!(text, "  {:<10}", "all");
    for &part in &parts {
        let shown = format!("{:>14}", cell(sums.part(part)));
        let dominant = part != Part::Network && sums.part(part) * 2 >= whole;
        let shown = if dominant { style.alarm(&shown) } else { shown };
        let _ = write!(text, " {shown}");
    }
    let _ = writeln!(text, " {:>14}", cell(whole));
}
