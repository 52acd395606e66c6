//! A FIX 4.4 venue on loopback for one client at a time: logon, an even stream of ExecutionReports,
//! heartbeats.
//!
//! Tag 52 is taken right before the send call, TCP_NODELAY is set unless asked otherwise, and a
//! receiver whose window is closed stalls the stream but not the venue: [`Venue::stop`] always
//! works.

mod answers;
mod extras;
mod options;
mod session;

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

pub use self::extras::{Extra, ExtraKind, Resend};
pub use self::options::VenueOptions;
use crate::background::Background;

/// One message as the venue sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// MsgSeqNum.
    pub seq: u64,
    /// Tag 35.
    pub msg_type: &'static str,
    /// Whether it is a resend.
    pub resend: Resend,
    /// One past its last byte, counted from the beginning of the stream.
    pub end: u64,
    /// Tag 52 as written, UTC nanoseconds.
    pub sent_ns: i64,
    /// The venue's clock: tag 52 before it was rounded to the resolution.
    pub stamped_ns: i64,
    /// The same instant on the monotonic clock, nanoseconds.
    pub sent_monotonic_ns: i64,
    /// The return of the send call that took its last byte, monotonic, nanoseconds. On loopback the
    /// message is in the receiver's queue by then if its window was open.
    pub taken_monotonic_ns: i64,
    /// For how long the receiver's window held it back, nanoseconds; with
    /// [`VenueOptions::sample_send_buffer`].
    pub limited_ns: Option<i64>,
    /// How long the send buffer was full before the message's last byte was taken, nanoseconds.
    pub blocked_ns: i64,
}

/// One message from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMessage {
    /// Tag 35.
    pub msg_type: String,
    /// Tag 52, UTC nanoseconds.
    pub sent_ns: Option<i64>,
    /// Tag 45: the MsgSeqNum a Reject is about.
    pub ref_seq: Option<u64>,
}

#[derive(Debug, Default)]
struct VenueState {
    gate: AtomicBool,
    logged_on: AtomicBool,
    finished: AtomicBool,
    blocked: AtomicBool,
    sent: AtomicU64,
    received: Mutex<Vec<ClientMessage>>,
    /// A step of the venue's clock: the monotonic instant and the step, nanoseconds.
    step: Mutex<Option<(i64, i64)>>,
}

impl VenueState {
    /// Returns by how much the venue's clock is stepped at a monotonic instant.
    fn stepped(&self, monotonic: i64) -> i64 {
        let step = *self.step.lock().unwrap_or_else(PoisonError::into_inner);
        step.map_or(0, |(at, by)| if monotonic >= at { by } else { 0 })
    }
}

/// A running venue. Dropping it ends it.
#[derive(Debug)]
pub struct Venue {
    port: u16,
    shared: Arc<VenueState>,
    thread: Background<Result<Vec<SentMessage>>>,
}

impl Venue {
    /// Listens on a free port. The stream starts when a client has logged on and
    /// [`open_gate`](Self::open_gate) was called.
    pub fn start(options: VenueOptions) -> Result<Self> {
        let listener =
            TcpListener::bind((options.address, 0)).context("cannot listen for the venue")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(VenueState::default());
        let session_shared = Arc::clone(&shared);
        let thread = Background::spawn("venue", move |stop| {
            let result = session::serve(&listener, &options, &session_shared, stop);
            session_shared.finished.store(true, Ordering::Release);
            result
        })?;
        Ok(Self {
            port,
            shared,
            thread,
        })
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the stream.
    pub fn open_gate(&self) {
        self.shared.gate.store(true, Ordering::Release);
    }

    /// Steps the venue's clock by `by_ns` from the monotonic instant `at_ns` on.
    pub fn step_clock(&self, at_ns: i64, by_ns: i64) {
        let mut step = self
            .shared
            .step
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *step = Some((at_ns, by_ns));
    }

    /// Whether a client has logged on.
    pub fn logged_on(&self) -> bool {
        self.shared.logged_on.load(Ordering::Acquire)
    }

    /// Whether the session is over.
    pub fn finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire)
    }

    /// Whether the send buffer is full because the receiver's window is closed.
    pub fn blocked(&self) -> bool {
        self.shared.blocked.load(Ordering::Relaxed)
    }

    /// Returns the number of ExecutionReports sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Returns the client's messages so far.
    pub fn received(&self) -> Vec<ClientMessage> {
        self.shared
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Logs out, closes, and returns the messages that were sent completely.
    pub fn stop(self) -> Result<Vec<SentMessage>> {
        self.thread.stop()?
    }
}
