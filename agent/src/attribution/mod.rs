//! Who made the ingest thread wait.
//!
//! The counters say how long a thread was in which state; here is kept for whom. Every wait of a
//! watched thread that is worth telling is told when it is over, and a message is charged with
//! those that fell into its time, part by part, never with more than the part has: what is not told
//! one by one (short waits, waits under way, lost records) is
//! [`CulpritId::OTHER`](crate::domain::CulpritId::OTHER)'s.

mod culprits;
mod ledger;
mod queue;
mod releasers;
mod seen;
mod switches;
#[cfg(test)]
mod tests;
mod waits;

pub use culprits::{CulpritChange, CulpritKey, Culprits};
pub use ledger::Ledger;
pub use seen::CandidateSample;
pub use waits::{Attribution, CulpritResolver};
