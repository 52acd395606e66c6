//! The summary of a whole run.

mod health;
mod matrix;
mod process;
mod qualifications;
mod session;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::{
    figures::{outside_network_ns, paragraph},
    style::TextStyle,
};
use crate::{
    domain::units::{HumanDuration, counted},
    model::Summary,
    what_if::ASSUMPTIONS,
};

/// Sessions described in full; the rest is counted here and complete in JSON.
const MAX_SESSIONS: usize = 16;

/// The whole text; `target` names what was watched: `pid 4711`.
pub(crate) fn summary(summary: &Summary, target: &str, style: TextStyle) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n{} {target} watched for {}, {}",
        style.bold("tag52 summary:"),
        HumanDuration(summary.length.as_nanos().cast_signed()),
        counted(summary.sessions_observed, "session")
    );
    let mut sessions: Vec<_> = summary.sessions.iter().collect();
    if sessions.len() > MAX_SESSIONS {
        sessions.sort_by_key(|s| {
            let stalled = s.stall().is_some();
            std::cmp::Reverse((stalled, outside_network_ns(&s.figures)))
        });
    }
    for s in sessions.iter().take(MAX_SESSIONS) {
        session::session(&mut text, s, summary.length.as_secs_f64(), style);
    }
    if let Some(rest) = sessions.len().checked_sub(MAX_SESSIONS + 1) {
        let _ = writeln!(text, "\nand {} more, whose messages waited less", rest + 1);
    }
    if summary.sessions.iter().any(|s| s.what_if.is_some()) {
        text.push('\n');
        text.push_str(&paragraph(ASSUMPTIONS, ""));
    }
    health::health(&mut text, &summary.health, style);
    text
}
