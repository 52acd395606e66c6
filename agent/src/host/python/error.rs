//! Why the function of a thread cannot be read.

use std::io;

use super::layout::UnsupportedRuntime;

/// Why there is no function.
#[derive(Debug, thiserror::Error)]
pub(in crate::host) enum FunctionError {
    #[error(transparent)]
    Unsupported(#[from] UnsupportedRuntime),
    /// What was read cannot be right: the memory changed meanwhile.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// The memory cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}
