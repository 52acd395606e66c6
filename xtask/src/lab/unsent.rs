//! When the bytes of a stream left the sender, as its own kernel tells: SIOCOUTQNSD, looked at all the time.

use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::lab::{clock, cpu};

/// include/uapi/linux/sockios.h; tcp(7) calls it the unsent data in the socket send queue.
const SIOCOUTQNSD: libc::c_ulong = 0x894B;

/// How often it looks.
const EVERY: Duration = Duration::from_micros(200);

/// A thread that looks until it is told to stop.
#[derive(Debug)]
pub(super) struct Watch {
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(u64, i64)>>,
}

impl Watch {
    pub(super) fn start(stream: &TcpStream) -> Result<Self> {
        let stream = stream.try_clone()?;
        let (written, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (bytes, stopped) = (Arc::clone(&written), Arc::clone(&stop));
        let body = move || {
            cpu::precise_sleeps();
            let mut left: Vec<(u64, i64)> = Vec::new();
            while !stopped.load(Ordering::Acquire) {
                // In this order the position is never ahead of the truth.
                let before = bytes.load(Ordering::Acquire);
                let position = before.saturating_sub(unsent(&stream));
                if left.last().is_none_or(|last| position > last.0) {
                    left.push((position, clock::monotonic_ns()));
                }
                std::thread::sleep(EVERY);
            }
            left
        };
        let thread = std::thread::Builder::new()
            .name("unsent".into())
            .spawn(body)?;
        Ok(Self {
            written,
            stop,
            thread,
        })
    }

    /// So many bytes were given to the socket in all.
    pub(super) fn written(&self, bytes: u64) {
        self.written.store(bytes, Ordering::Release);
    }

    /// Stream positions and the monotonic instants at which they were first seen to have left, both rising.
    pub(super) fn stop(self) -> Result<Vec<(u64, i64)>> {
        std::thread::sleep(10 * EVERY);
        self.stop.store(true, Ordering::Release);
        self.thread.join().ok().context("the watch panicked")
    }
}

fn unsent(stream: &TcpStream) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes one int; the descriptor is open.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), SIOCOUTQNSD, &raw mut bytes) };
    if result < 0 {
        0
    } else {
        u64::from(bytes.unsigned_abs())
    }
}
