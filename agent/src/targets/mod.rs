//! Whom to follow: the processes that were given, those that discovery finds, and their ends.

pub mod discovery;
pub(crate) mod ends;
pub(crate) mod found;
pub mod pid;

pub use pid::{Target, TargetError, Targets, in_initial_namespace};
