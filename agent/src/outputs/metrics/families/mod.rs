//! The metric families: every metric that is published, with its kind, unit and help.

mod agent;
mod ages;
mod cpu;
mod family;
mod interval;
mod stream;

pub(super) use family::{Entry, Source};

/// All entries, in the order in which they are written. The metrics of the series come last, as
/// they count those before them.
pub(super) static ENTRIES: [&[Entry]; 6] = [
    &ages::ENTRIES,
    &stream::ENTRIES,
    &interval::ENTRIES,
    &cpu::ENTRIES,
    &agent::ENTRIES,
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
    let entries = ENTRIES.iter().copied().flatten();
    let counted = entries.filter(|entry| of(entry.source));
    counted.map(|entry| entry.metric.max_series()).sum()
}
