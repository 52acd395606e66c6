//! The kernel side as the agent uses it, in three stages that cannot be used out of order: what this
//! kernel supports ([`KernelSupport`]), the programs loaded ([`LoadedProbes`]), the programs attached
//! ([`Probes`]).

mod btf;
mod config;
mod cost;
mod counters;
mod error;
mod handoff_function;
mod handoff_probe;
mod handoff_search;
mod hooks;
mod layout;
mod loaded;
mod missed_runs;
mod present;
mod probes;
mod program;
mod socket_sampler;
mod support;
mod watched;

pub(crate) use config::ProbeConfig;
pub use error::ProbeError;
pub use handoff_function::FunctionSpec;
pub(crate) use handoff_function::{CallSide, FunctionLocation};
pub(crate) use handoff_search::FunctionSearch;
pub(crate) use loaded::LoadedProbes;
pub(crate) use probes::Probes;
pub(crate) use support::KernelSupport;
