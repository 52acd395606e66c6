//! The options of a venue.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Extra;
use crate::clock::Resolution;

/// The options of a venue.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of a venue, whatever the others are"
)]
pub struct VenueOptions {
    /// ExecutionReports per second.
    pub rate: f64,
    /// ExecutionReports per burst.
    pub burst: u64,
    /// ExecutionReports in the stream, those of `prequeue` included; `None`: until stopped.
    pub count: Option<u64>,
    /// ExecutionReports that are sent right after the logon, before the gate opens.
    pub prequeue: u64,
    /// Size of an ExecutionReport in bytes, about.
    pub size: RangeInclusive<usize>,
    /// The resolution of tag 52.
    pub resolution: Resolution,
    /// The address it listens on.
    pub address: Ipv4Addr,
    /// TCP_NODELAY. Without it a message waits for the acknowledgement of the one before.
    pub nodelay: bool,
    /// How far the venue's clock is ahead of this machine's, nanoseconds.
    pub clock_offset_ns: i64,
    /// SO_SNDBUF in bytes; `None`: the kernel's own tuning.
    pub send_buffer: Option<usize>,
    /// HeartBtInt: the idle time after which a Heartbeat is sent.
    pub heartbeat: Duration,
    /// Sample how much of the stream has left the send buffer, and what holds back the rest.
    pub sample_send_buffer: bool,
    /// What is sent besides the stream.
    pub extras: Vec<Extra>,
    /// Pin its thread to this CPU.
    pub cpu: Option<usize>,
    /// Half-close the connection after `count`, so that the receiver sees the end once it has read
    /// everything.
    pub close_at_end: bool,
    /// Send a Heartbeat after each batch of this number of ExecutionReports.
    pub beat_every: Option<u64>,
    /// The ExecutionReport (counted from 1) that is not sent although its MsgSeqNum is used; a
    /// ResendRequest is answered with it and a GapFill for the rest.
    pub lose: Option<u64>,
    /// SenderCompID.
    pub sender: String,
    /// Number of consecutive connections, each with a stream of its own.
    pub connections: u32,
    /// Start each connection at MsgSeqNum 1 instead of continuing.
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
            sample_send_buffer: false,
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
    /// Options for `count` messages at `rate` per second, then the end of the stream.
    pub fn of(rate: f64, count: u64) -> Self {
        Self {
            rate,
            count: Some(count),
            close_at_end: true,
            ..Self::default()
        }
    }
}
