//! What the probes are asked to do.

use std::num::NonZeroU32;

use super::FunctionSpec;

/// What the probes watch, and how.
#[derive(Clone, Debug)]
pub(crate) struct ProbeConfig {
    /// The processes (thread group ids, initial PID namespace); none stands for every process that
    /// reads a stream beginning as FIX does, except those that are excluded
    /// ([`super::Probes::exclude`]).
    pub(crate) pids: Vec<NonZeroU32>,
    /// The function named with `--handoff`.
    pub(crate) function: Option<FunctionSpec>,
    /// Whether the kernel accounts for the run time of the probes, which costs 20 to 60 ns a run.
    pub(crate) accounts_run_time: bool,
    /// Whether the probes write diagnostic lines.
    pub(crate) log: bool,
    /// One in so many switches to a tracked thread is skipped; 0: none.
    #[cfg(feature = "fault-injection")]
    pub(crate) unobserved_switches: u32,
    /// Whether threads that release locks which watched ones wait for are tracked too.
    pub(crate) track_holders: bool,
}
