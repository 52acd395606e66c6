//! Whom to follow: the processes that were given, those that discovery finds, and their exits.

pub(crate) mod discovered;
pub(crate) mod discovery;
pub(crate) mod exits;
pub(crate) mod target;

pub use discovery::{CommandLineRegex, Glob, ProcessSelector};
