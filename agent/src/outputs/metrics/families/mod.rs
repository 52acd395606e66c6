//! The metric families: every metric that is published, with its kind, unit and help.

mod agent;
mod ages;
mod cpu;
mod family;
mod interval;
mod stream;
mod waiting;

pub(super) use family::{Family, Source};

/// All families in the order in which they are written. The metrics of the series come last, as
/// they count those before them.
pub(super) static FAMILIES: [&[Family]; 7] = [
    &ages::FAMILIES,
    &stream::FAMILIES,
    &waiting::FAMILIES,
    &interval::FAMILIES,
    &cpu::FAMILIES,
    &agent::FAMILIES,
    &agent::SERIES,
];

/// The largest number of series of a session with a process of its own.
pub(super) fn series_per_session() -> u64 {
    max_series(|source| !matches!(source, Source::Agent(_)))
}

/// The largest number of series of the agent.
pub(super) fn series_of_the_agent() -> u64 {
    max_series(|source| matches!(source, Source::Agent(_)))
}

fn max_series(of: impl Fn(Source) -> bool) -> u64 {
    let families = FAMILIES.iter().copied().flatten();
    let counted = families.filter(|family| of(family.source));
    counted.map(|family| family.metric.max_series()).sum()
}
