//! What-if: the queue of one session, replayed with one cause of waiting removed.
//!
//! One module per concept: [`reader_time`] (how the reader spent its time), [`scenario`] (what is
//! removed from that), [`read_batch`] (the messages of one receive call), [`transit`] (the usual time
//! in flight), [`queue`] (one reader and its queue), [`replay`] (all scenarios of a session), [`ages`]
//! (the result) and [`sentence`] (the result in words).

mod ages;
mod queue;
mod read_batch;
mod reader_time;
mod replay;
mod scenario;
mod sentence;
#[cfg(test)]
mod tests;
mod transit;

pub(crate) use ages::WhatIf;
pub(crate) use reader_time::ReaderTime;
pub(crate) use scenario::Scenario;
pub(crate) use sentence::sentence;

pub(crate) use replay::WhatIfReplay;

/// The assumptions of the replay. They are shown wherever its figures are.
pub(crate) const ASSUMPTIONS: &str = "What-if replays the queue of the messages that were read: the same \
     arrivals, one reader, the work on every message as measured, and only the named wait removed. \
     A message that was held back, or that waited for an acknowledgement of a reader that was \
     behind, counts as arriving when the uncongested network would have delivered it. The replay \
     does not know the side effects of a change: without a lock, something may cost CPU elsewhere, \
     and a faster reader may wait for something new. Quantiles are at most 1 % too high.";
