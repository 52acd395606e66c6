//! Readiness of file descriptors in the asynchronous runtime.

use std::{io, os::fd::AsRawFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Registers a descriptor with the current runtime; `readable` of the result ends when there is
/// something to read.
///
/// # Errors
/// When epoll(7) refuses the descriptor.
///
/// # Panics
/// Outside of a runtime.
pub(crate) fn readiness<T: AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: every caller passes an open descriptor that it owns, and that stays the same for as
    // long as the result lives.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    registered.map_err(Into::into)
}
