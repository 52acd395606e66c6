//! ExtraKind a venue sends, and how.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Extra;
use crate::clock::Resolution;

/// ExtraKind the venue sends, and how.
#[derive(Clone, Debug)]
pub struct VenueOptions {
    /// ExecutionReports per second.
    pub rate: f64,
    /// How many of them are sent in one go.
    pub burst: u64,
    /// End of the stream after so many ExecutionReports (those of `prequeue` included); `None`:
    /// until stopped.
    pub count: Option<u64>,
    /// ExecutionReports sent in one go right after the logon, before the gate opens.
    pub prequeue: u64,
    /// Size of an ExecutionReport in bytes, about.
    pub size: RangeInclusive<usize>,
    /// How finely tag 52 is written.
    pub resolution: Resolution,
    /// Where it listens.
    pub address: Ipv4Addr,
    /// TCP_NODELAY. Without it a message waits for the acknowledgement of the one before.
    pub nodelay: bool,
    /// How far the venue's clock is ahead of this machine's, nanoseconds.
    pub clock_offset_ns: i64,
    /// SO_SNDBUF in bytes; `None`: the kernel's own tuning.
    pub send_buffer: Option<usize>,
    /// HeartBtInt: a Heartbeat is sent when nothing else was for so long.
    pub heartbeat: Duration,
    /// Sample all the time how much of the stream has left the send buffer, and what keeps the
    /// rest.
    pub watch_unsent: bool,
    /// Sent besides the stream.
    pub extras: Vec<Extra>,
    /// Pin its thread to this CPU.
    pub cpu: Option<usize>,
    /// Half-close the connection after `count`, so that the receiver sees the end once it has read
    /// everything.
    pub close_at_end: bool,
    /// A Heartbeat after every so many ExecutionReports.
    pub beat_every: Option<u64>,
    /// This ExecutionReport (counted from 1) uses up its MsgSeqNum and is not sent; a ResendRequest
    /// is answered with it and a gap fill for the rest.
    pub lose: Option<u64>,
    /// SenderCompID.
    pub sender: String,
    /// Connections taken one after the other, each with a stream of its own.
    pub connections: u32,
    /// MsgSeqNum begins at 1 with each connection; else it goes on.
    pub reset: bool,
}

impl Default for VenueOptions {
    fn default() -> Self {
        Self {
            rate: 600.0,
            burst: 1,
            count: None,
            prequeue: 0,
            size: 300..=450,
            resolution: Resolution::Micros,
            address: Ipv4Addr::LOCALHOST,
            nodelay: true,
            clock_offset_ns: 0,
            send_buffer: None,
            heartbeat: Duration::from_secs(5),
            watch_unsent: false,
            extras: Vec::new(),
            cpu: None,
            close_at_end: false,
            beat_every: None,
            lose: None,
            sender: "VENUE".into(),
            connections: 1,
            reset: false,
        }
    }
}

impl VenueOptions {
    /// `count` messages at `rate` a second, then the end of the stream.
    pub fn of(rate: f64, count: u64) -> Self {
        Self {
            rate,
            count: Some(count),
            close_at_end: true,
            ..Self::default()
        }
    }
}
