//! The kernel side seen from the agent, in three stages that cannot be used out of order: what this
//! kernel supports ([`KernelSupport`]), the programs loaded ([`LoadedProbes`]), the programs attached
//! ([`Probes`]).

mod btf;
mod config;
mod cost;
mod counters;
mod error;
mod function;
mod function_probe;
mod hooks;
mod layout;
mod loaded;
mod missed_runs;
mod open_files;
mod probes;
mod program;
mod search;
mod support;
mod watched;

pub use config::ProbeConfig;
pub use error::ProbeError;
pub use function::{CallSide, FunctionLocation, FunctionSpec};
pub use loaded::LoadedProbes;
pub use probes::Probes;
pub use search::FunctionSearch;
pub use support::KernelSupport;
