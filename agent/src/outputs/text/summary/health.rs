//! The agent's account of itself.

use std::fmt::Write as _;

use crate::{
    domain::{
        Availability, DiscoveryCounts, Health,
        units::{HumanBytes, HumanDuration},
    },
    outputs::text::{figures::list_counts, style::TextStyle},
};

/// Losses, anomalies, discovery, hooks and the cost of the probes.
pub(super) fn health(text: &mut String, health: &Health, style: TextStyle) {
    let _ = write!(text, "\n{} ", style.bold("Agent health:"));
    match list_counts(health.lost()) {
        Some(lost) => text.push_str(&style.warn(&format!("lost events: {lost}"))),
        None => text.push_str("no events lost"),
    }
    let _ = writeln!(
        text,
        "; ring buffer held at most {}",
        HumanBytes(health.ring_high_water_bytes)
    );
    if let Some(anomalies) = list_counts(health.anomalies()) {
        let _ = writeln!(text, "  anomalies: {anomalies}");
    }
    if let Some(DiscoveryCounts {
        fix,
        other,
        not_selected,
    }) = health.discovery
    {
        let _ = writeln!(
            text,
            "  streams: {fix} FIX, {other} other, {not_selected} FIX but not selected"
        );
    }
    let names = health
        .capabilities
        .iter()
        .map(|c| c.name.len())
        .chain(health.probes.iter().map(|p| p.name.len()))
        .max()
        .unwrap_or(0);
    for capability in &health.capabilities {
        let hook = match &capability.availability {
            Availability::Observed(hook) => hook.clone(),
            Availability::Unavailable(why) => style.warn(&format!("unavailable: {why}")),
        };
        let _ = writeln!(text, "  {:<names$}  {hook}", capability.name);
    }
    for probe in &health.probes {
        let _ = write!(
            text,
            "  {:<names$}  {:>12} runs  {:>8}",
            probe.name,
            probe.runs,
            HumanDuration(i128::from(probe.run_time_ns))
        );
        if let Some(mean) = probe.mean_ns() {
            let _ = write!(text, "  {mean:.0}ns each");
        }
        text.push('\n');
    }
}
