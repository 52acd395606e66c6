//! Attribution: every wait of a tracked thread is assigned to a culprit.
//!
//! The counters say how long a thread was in which state; this room says for whom. A probe records
//! every wait of 20 us and more when it is over. [`Attribution`] turns the record into updates and
//! retains it, and charges each message with the waits that fell into its age, part by part, never
//! with more than the part has. Whatever no record covers (short waits, waits under way, lost
//! records) belongs to [`CulpritId::OTHER`](crate::domain::CulpritId::OTHER).

mod aftermath;
mod candidates;
mod charging;
mod cpu_turns;
mod culprits;
mod current_wait;
mod ledger;
mod ledger_table;
mod releasers;
mod run_queue;
mod sleeps;
#[cfg(test)]
mod tests;
mod waits;

pub(crate) use candidates::CandidateSample;
pub(crate) use culprits::CulpritKey;
pub(crate) use current_wait::LockReader;
pub(crate) use waits::{Attribution, CulpritResolver};
