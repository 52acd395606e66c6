//! When the bytes of a stream left the send buffer, and for how long the receiver's window held
//! them back: samples of the sender's TCP_INFO.

use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::background::Background;
use crate::{clock, cpu};

/// The time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_micros(200);

/// One reading of TCP_INFO.
#[derive(Clone, Copy, Debug)]
struct SendBufferSample {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    at: i64,
    /// Bytes of the stream that have left the send buffer.
    left: u64,
    /// Time since the connection began during which the receiver's window held the sender back,
    /// nanoseconds.
    limited: i64,
}

/// All samples of one connection, oldest first.
#[derive(Debug)]
pub(super) struct SendBufferSamples(Vec<SendBufferSample>);

impl SendBufferSamples {
    /// Returns the first sample at which the byte before stream position `end` had left; `None`:
    /// never.
    pub(super) fn left(&self, end: u64) -> Option<i64> {
        let index = self.0.partition_point(|sample| sample.left < end);
        self.0.get(index).map(|sample| sample.at)
    }

    /// Returns for how long the window held the sender back between two monotonic instants.
    pub(super) fn limited(&self, from: i64, to: i64) -> i64 {
        self.limited_until(to) - self.limited_until(from)
    }

    fn limited_until(&self, at: i64) -> i64 {
        let index = self.0.partition_point(|sample| sample.at <= at);
        let (Some(before), Some(after)) = (
            index.checked_sub(1).and_then(|i| self.0.get(i)),
            self.0.get(index),
        ) else {
            return self
                .0
                .get(index.saturating_sub(1))
                .map_or(0, |sample| sample.limited);
        };
        let share = (at - before.at) as f64 / (after.at - before.at).max(1) as f64;
        before.limited + ((after.limited - before.limited) as f64 * share) as i64
    }
}

/// A thread that samples TCP_INFO until it is stopped.
#[derive(Debug)]
pub(super) struct SendBufferSampler {
    written: Arc<AtomicU64>,
    thread: Background<Vec<SendBufferSample>>,
}

impl SendBufferSampler {
    pub(super) fn start(stream: &TcpStream) -> Result<Self> {
        let stream = stream.try_clone()?;
        let written = Arc::new(AtomicU64::new(0));
        let bytes = Arc::clone(&written);
        let thread = Background::spawn("unsent", move |stop| {
            cpu::precise_sleeps();
            let mut samples: Vec<SendBufferSample> = Vec::new();
            while !stop.load(Ordering::Acquire) {
                // Reading the position first, it is never ahead of the truth.
                let before = bytes.load(Ordering::Acquire);
                let info = TcpInfo::of(&stream);
                samples.push(SendBufferSample {
                    at: clock::monotonic_ns(),
                    left: before.saturating_sub(info.unsent()),
                    limited: info.limited_ns(),
                });
                std::thread::sleep(SAMPLE_INTERVAL);
            }
            samples
        })?;
        Ok(Self { written, thread })
    }

    /// Sets the total of bytes written to the socket.
    pub(super) fn written(&self, bytes: u64) {
        self.written.store(bytes, Ordering::Release);
    }

    /// Stops the thread after a last sample.
    pub(super) fn stop(self) -> Result<SendBufferSamples> {
        std::thread::sleep(10 * SAMPLE_INTERVAL);
        self.thread.stop().map(SendBufferSamples)
    }
}

/// `struct tcp_info` up to `tcpi_rwnd_limited` (include/uapi/linux/tcp.h); libc's ends before it.
struct TcpInfo([u8; 184]);

impl TcpInfo {
    fn of(stream: &TcpStream) -> Self {
        let mut info = Self([0; 184]);
        let mut length = size_of::<Self>() as libc::socklen_t;
        // SAFETY: a buffer and its real length; the descriptor is open. A failure leaves zeros.
        unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.0.as_mut_ptr().cast(),
                &raw mut length,
            );
        }
        info
    }

    /// `tcpi_notsent_bytes`
    fn unsent(&self) -> u64 {
        self.0[144..148]
            .try_into()
            .map_or(0, u32::from_ne_bytes)
            .into()
    }

    /// `tcpi_rwnd_limited`, microseconds there.
    fn limited_ns(&self) -> i64 {
        let micros = self.0[176..184].try_into().map_or(0, u64::from_ne_bytes);
        micros.cast_signed() * 1_000
    }
}
