//! The kernel side seen from the agent: choose the hooks this kernel has, load them, attach them.

mod btf;
mod cost;
mod counts;
mod error;
mod function;
mod hooks;
mod layout;
mod load;
mod misses;
mod program;
mod search;
mod watched;

pub use cost::ProbeRun;
pub use error::ProbeError;
pub use function::{CallSide, FunctionPlace, FunctionSpec};
pub use load::{Options, Probes};
pub use search::FunctionSearch;
