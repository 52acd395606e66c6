//! Whom to follow: the processes that were given, those that discovery finds, and their exits.

pub(crate) mod discovered;
pub mod discovery;
pub(crate) mod exits;
pub mod target;

pub use target::{Target, TargetError, Targets, in_initial_namespace};
