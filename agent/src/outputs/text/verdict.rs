//! A verdict's words that are not in its sentence.

use std::time::Duration;

use crate::{
    domain::units::{HumanDuration, human_name},
    verdict::Verdict,
};

/// The causes by name: `starved-by-lock and throttled`.
pub(crate) fn cause_names(verdict: &Verdict) -> String {
    let names: Vec<_> = verdict
        .causes
        .iter()
        .map(|c| human_name(c.name()))
        .collect();
    names.join(" and ")
}

/// How long it takes until the age reaches MaxLatency.
pub(super) fn time_to_max_latency(left: Duration) -> String {
    if left.is_zero() {
        "MaxLatency is exceeded.".to_owned()
    } else {
        let ns = i128::try_from(left.as_nanos()).unwrap_or(i128::MAX);
        format!("MaxLatency in {}.", HumanDuration(ns))
    }
}
