//! Every metric there is.

mod agent;
mod ages;
mod cpu;
mod interval;
mod stream;

use super::metric::{Label, Metric, Source};

/// All of them, in the order in which they are told. The account of the series is the last.
pub(super) static METRICS: [&[Metric]; 6] = [
    &ages::METRICS,
    &stream::METRICS,
    &interval::METRICS,
    &cpu::METRICS,
    &agent::METRICS,
    &agent::SERIES,
];

/// The labels of a session.
pub(super) const SESSION: [Label; 7] = [
    label(
        "sender",
        "SenderCompID (49) of the messages read: the counterparty; 32 characters, `~` at the end of what was cut",
    ),
    label("target", "TargetCompID (56): the process that reads"),
    label("pid", "the process, as the host numbers it"),
    label(
        "port",
        "the port of the side that listens: the same after a reconnect",
    ),
    label(
        "namespace",
        "of the pod; none outside of a pod, and until the Kubernetes API has told",
    ),
    label("pod", "its name; its UID until the Kubernetes API has told"),
    label(
        "container",
        "its name; the first 12 characters of its id until the Kubernetes API has told",
    ),
];

/// The labels of a process.
pub(super) const PROCESS: [Label; 4] = [SESSION[2], SESSION[4], SESSION[5], SESSION[6]];

const fn label(name: &'static str, meaning: &'static str) -> Label {
    Label { name, meaning }
}

/// Series of a session with a process of its own, at the most.
pub(super) fn series_per_session() -> u64 {
    sum(|source| !matches!(source, Source::Agent(_)))
}

/// Series of the agent, at the most.
pub(super) fn series_of_the_agent() -> u64 {
    sum(|source| matches!(source, Source::Agent(_)))
}

fn sum(of: impl Fn(Source) -> bool) -> u64 {
    let metrics = METRICS.iter().copied().flatten();
    let counted = metrics.filter(|m| of(m.source));
    counted.map(Metric::most_series).sum()
}

const fn seconds(ns: i128) -> f64 {
    ns as f64 / 1e9
}
