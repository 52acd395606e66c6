//! What if: the queue of one session replayed with one cause of waiting taken out.
//!
//! One module per concept: [`service`] (what the reader spent), [`scenario`] (what is taken out of
//! that), [`batch`] (the messages of one receive call), [`transit`] (how long a message is under
//! way when nothing holds it back), [`queue`] (one reader and its queue), [`replay`] (all scenarios
//! of a session), [`sentence`] (what came out, in words).

mod batch;
mod outcome;
mod queue;
mod replay;
mod scenario;
mod sentence;
mod service;
#[cfg(test)]
mod tests;
mod transit;

pub use outcome::{Outcome, WhatIf};
pub use scenario::Scenario;
pub use sentence::sentence;
pub use service::Service;

pub(crate) use replay::Replay;

/// What the replay rests on; shown wherever its figures are.
pub const ASSUMPTIONS: &str = "What-if replays the queue of the messages read: the same arrivals (what was held back, or \
     waited for an acknowledgement of a reader that was behind, counts as arriving when the uncongested network would \
     have delivered it), one reader, the work of every \
     message as measured, and nothing but the named wait taken out. It does not know what the change itself does: \
     a lock that is gone may cost CPU elsewhere, a faster reader may wait for something new. Quantiles are at most \
     1 % too high.";
