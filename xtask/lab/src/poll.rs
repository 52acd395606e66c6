//! Waiting for sockets with a timeout or a stop flag.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

/// The interval at which a waiting thread reads its stop flag.
pub(crate) const STOP_CHECK: Duration = Duration::from_millis(50);

/// Waits at most `timeout`; returns the events that are ready.
pub(crate) fn wait(socket: &impl AsFd, flags: PollFlags, timeout: Duration) -> Result<PollFlags> {
    let mut fds = [PollFd::new(socket.as_fd(), flags)];
    wait_for(&mut fds, timeout)?;
    Ok(fds[0].revents().unwrap_or(PollFlags::empty()))
}

/// Waits at most `timeout` until one of the descriptors is ready.
pub(crate) fn wait_for(fds: &mut [PollFd<'_>], timeout: Duration) -> Result<()> {
    match ppoll(fds, Some(TimeSpec::from(timeout)), None) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(error) => Err(error).context("poll"),
    }
}

/// Accepts the next client; `None` when `stop` is set first.
pub(crate) fn accept(listener: &TcpListener, stop: &AtomicBool) -> Result<Option<TcpStream>> {
    while !stop.load(Ordering::Acquire) {
        if wait(listener, PollFlags::POLLIN, STOP_CHECK)?.contains(PollFlags::POLLIN) {
            let accepted = listener.accept().context("cannot accept a client")?;
            return Ok(Some(accepted.0));
        }
    }
    Ok(None)
}
