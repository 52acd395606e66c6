//! Tracked threads: which they are, and their cumulative counters.
//!
//! Writers are serialised by the scheduler: a switch-out by the run queue lock, a wake-up by the
//! task being off the CPU, a migration by both. The one overlap, a `sched_waking` that comes while
//! the thread is still on its way off the CPU, writes nothing: the `sched_wakeup` that follows
//! does.

mod account;
mod records;
mod snapshot;
mod table;

pub(crate) use account::{charge, charge_unknown};
pub(crate) use records::{emit_history, emit_sleep};
pub(crate) use snapshot::snapshot;
pub(crate) use table::{begin, begin_present, lookup, remove, set_tracked, track_holder};
