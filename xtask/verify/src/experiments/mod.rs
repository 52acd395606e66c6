//! The experiments, one file per cause.

mod acks;
mod backlog;
mod blocked;
mod clocks;
mod engine;
mod everything;
mod gil;
mod hang;
mod held_back;
mod late_attach;
mod lock;
mod many;
mod network;
mod on_cpu;
mod resends;
mod run_queue;
mod throttle;

use crate::Experiment;

/// All of them, in the order of the table.
pub(super) const ALL: &[Experiment] = &[
    lock::MUTEX,
    gil::GIL,
    run_queue::RIVALS,
    throttle::QUOTA,
    blocked::BLOCKED,
    on_cpu::WORK,
    held_back::HELD_BACK,
    network::NETWORK,
    acks::ACKS,
    resends::RESENDS,
    backlog::BACKLOG,
    everything::EVERYTHING,
    late_attach::LATE,
    hang::HANG,
    clocks::CLOCKS,
    engine::ENGINE,
    engine::GAP,
    engine::REJECTS,
    many::MANY,
];
