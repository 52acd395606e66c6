//! The lab: real processes on loopback with known behaviour, for the demo, the live tests and the
//! accuracy experiments.
//!
//! A [`venue`] sends FIX, a [`victim`] (or a [`crowd`] of threads, or the demo's ingest process)
//! reads it, [`agent`] is the agent under test. Every process logs what it did and when: the truth
//! that the agent is compared with.

#![expect(
    clippy::missing_errors_doc,
    reason = "every function starts, reads or ends something outside and reports what failed"
)]

pub mod agent;
mod background;
pub mod bench;
pub mod blame;
pub mod cgroup;
pub mod clock;
pub mod cpu;
pub mod cpython;
pub mod crowd;
pub mod crowd_bench;
pub mod database;
pub mod fix;
pub mod gil;
pub mod gil_waits;
pub mod loaded_programs;
pub mod neighbour;
mod poll;
pub mod process;
pub mod quantiles;
pub mod quickfix;
pub mod relay;
pub mod rivals;
pub mod sched;
mod send_buffer;
pub mod spin;
pub mod tmux;
pub mod tun;
pub mod venue;
pub mod victim;
pub mod victims_program;
