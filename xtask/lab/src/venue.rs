//! A FIX 4.4 venue on loopback for one client at a time: logon, an even stream of ExecutionReports,
//! heartbeats.
//!
//! Tag 52 is taken right before the send call, TCP_NODELAY is set unless asked otherwise, and a
//! receiver whose window is closed stalls the stream but never the venue: [`Venue::stop`] always
//! gets through.

mod extras;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeSpec;

pub use self::extras::{Extra, Resend, What};
use crate::clock::{self, Resolution, SECOND};
use crate::cpu;
use crate::fix::{Cutter, SOH, Writer, execution_report};
use crate::unsent::Watch;

/// How often a waiting venue looks whether it should stop.
const STOP_CHECK_NS: i64 = 50_000_000;

/// What the venue sends, and how.
#[derive(Clone, Debug)]
pub struct Options {
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
    /// Look all the time how much of the stream has left the send buffer, and what keeps the rest.
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

impl Default for Options {
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

impl Options {
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

/// One message as the venue sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// MsgSeqNum.
    pub seq: u64,
    /// Tag 35.
    pub msg_type: &'static str,
    /// Whether it is a copy of an earlier one.
    pub resend: Resend,
    /// One past its last byte, counted from the beginning of the stream.
    pub end: u64,
    /// Tag 52 as written, UTC nanoseconds.
    pub sent_ns: i64,
    /// Tag 52 before it was cut to the resolution: the venue's clock.
    pub stamped_ns: i64,
    /// The instant on the monotonic clock, nanoseconds, not cut to the resolution.
    pub sent_monotonic_ns: i64,
    /// The return of the send call that took its last byte, monotonic, nanoseconds. On loopback the
    /// message is in the receiver's queue by then if its window was open.
    pub taken_monotonic_ns: i64,
    /// For how long the receiver's window kept it from being sent, nanoseconds; with
    /// [`Options::watch_unsent`].
    pub limited_ns: Option<i64>,
    /// How long the send buffer was full before the message's last byte was taken, nanoseconds.
    pub blocked_ns: i64,
}

/// One message of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Tag 35.
    pub msg_type: String,
    /// Tag 52, UTC nanoseconds.
    pub sent_ns: Option<i64>,
    /// Tag 45: the MsgSeqNum a Reject is about.
    pub ref_seq: Option<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    gate: AtomicBool,
    logged_on: AtomicBool,
    finished: AtomicBool,
    blocked: AtomicBool,
    sent: AtomicU64,
    heard: Mutex<Vec<Heard>>,
    /// A step of the venue's clock: from which monotonic instant on, and by how much, nanoseconds.
    step: Mutex<Option<(i64, i64)>>,
}

impl Shared {
    /// By how much the venue's clock has been stepped at a monotonic instant.
    fn stepped(&self, monotonic: i64) -> i64 {
        let step = *self.step.lock().unwrap_or_else(PoisonError::into_inner);
        step.map_or(0, |(at, by)| if monotonic >= at { by } else { 0 })
    }
}

/// A running venue; dropping it ends it.
#[derive(Debug)]
pub struct Venue {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<Vec<Sent>>>>,
}

impl Venue {
    /// Listens on a free port. The stream starts when a client has logged on and
    /// [`open_gate`](Self::open_gate) was called.
    pub fn start(options: Options) -> Result<Self> {
        let listener =
            TcpListener::bind((options.address, 0)).context("cannot listen for the venue")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let session_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("venue".into())
            .spawn(move || {
                let result = serve(&listener, &options, &session_shared);
                session_shared.finished.store(true, Ordering::Release);
                result
            })?;
        Ok(Self {
            port,
            shared,
            thread: Some(thread),
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets the stream begin.
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

    /// Whether the send buffer is full right now because the receiver's window is closed.
    pub fn blocked(&self) -> bool {
        self.shared.blocked.load(Ordering::Relaxed)
    }

    /// ExecutionReports sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// What the client has sent so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared
            .heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Logs out, closes, and returns everything that was sent whole.
    pub fn stop(mut self) -> Result<Vec<Sent>> {
        self.shared.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(log)) => log,
            _ => anyhow::bail!("the venue's thread panicked"),
        }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, options: &Options, shared: &Shared) -> Result<Vec<Sent>> {
    cpu::precise_sleeps();
    if let Some(cpu) = options.cpu {
        cpu::pin(cpu)?;
    }
    let mut log = Vec::new();
    let mut next = 1;
    for connection in 0..options.connections {
        if connection > 0 {
            shared.logged_on.store(false, Ordering::Release);
        }
        let Some(stream) = accept(listener, shared)? else {
            break;
        };
        let mut session = Session::new(stream, options, shared)?;
        if !options.reset {
            session.writer.resume(next);
        }
        session.run()?;
        next = session.writer.next_seq();
        log.append(&mut session.into_log()?);
    }
    Ok(log)
}

/// The next client; `None` when the venue stops.
fn accept(listener: &TcpListener, shared: &Shared) -> Result<Option<TcpStream>> {
    while !shared.stop.load(Ordering::Acquire) {
        if wait(listener, PollFlags::POLLIN, STOP_CHECK_NS)?.contains(PollFlags::POLLIN) {
            let accepted = listener.accept().context("the venue cannot accept")?;
            return Ok(Some(accepted.0));
        }
    }
    Ok(None)
}

/// Waits for at most `timeout_ns`; returns what is ready.
fn wait(socket: &impl std::os::fd::AsFd, flags: PollFlags, timeout_ns: i64) -> Result<PollFlags> {
    let mut fds = [PollFd::new(socket.as_fd(), flags)];
    let timeout = TimeSpec::from(Duration::from_nanos(timeout_ns.max(0).cast_unsigned()));
    match ppoll(&mut fds, Some(timeout), None) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(fds[0].revents().unwrap_or(PollFlags::empty())),
        Err(error) => Err(error).context("poll"),
    }
}

struct Session<'a> {
    stream: TcpStream,
    options: &'a Options,
    shared: &'a Shared,
    writer: Writer,
    cutter: Cutter,
    log: Vec<Sent>,
    fields: String,
    reports: u64,
    last_sent: i64,
    /// Bytes given to the socket.
    written: u64,
    unsent: Option<Watch>,
    /// The report that was not sent: its MsgSeqNum, its time in UTC nanoseconds, its fields.
    lost: Option<(u64, i64, String)>,
    /// The client has logged out; it closes the connection.
    left: bool,
    closed: bool,
}

impl<'a> Session<'a> {
    fn new(stream: TcpStream, options: &'a Options, shared: &'a Shared) -> Result<Self> {
        stream.set_nodelay(options.nodelay)?;
        stream.set_nonblocking(true)?;
        if let Some(bytes) = options.send_buffer {
            setsockopt(&stream.as_fd(), sockopt::SndBuf, &bytes).context("SO_SNDBUF")?;
        }
        let unsent = options.watch_unsent.then(|| Watch::start(&stream));
        Ok(Self {
            stream,
            options,
            shared,
            written: 0,
            unsent: unsent.transpose()?,
            writer: Writer::new(options.sender.as_str(), "DROP", options.resolution),
            cutter: Cutter::default(),
            log: Vec::new(),
            fields: String::new(),
            reports: 0,
            last_sent: clock::monotonic_ns(),
            lost: None,
            left: false,
            closed: false,
        })
    }

    fn over(&self) -> bool {
        self.left || self.gone()
    }

    fn gone(&self) -> bool {
        self.closed || self.shared.stop.load(Ordering::Acquire)
    }

    fn run(&mut self) -> Result<()> {
        while !self.shared.logged_on.load(Ordering::Acquire) && !self.over() {
            self.listen_until(clock::monotonic_ns() + STOP_CHECK_NS)?;
        }
        while self.reports < self.options.prequeue && !self.over() {
            self.report()?;
        }
        while !self.shared.gate.load(Ordering::Acquire) && !self.over() {
            self.listen_until(clock::monotonic_ns() + STOP_CHECK_NS / 10)?;
        }
        self.stream_reports()?;
        if self.options.close_at_end && !self.over() {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        while !self.over() {
            self.listen_until(clock::monotonic_ns() + STOP_CHECK_NS)?;
            if !self.options.close_at_end {
                self.beat()?;
            }
        }
        while self.left && !self.gone() {
            if !wait(&self.stream, PollFlags::POLLIN, STOP_CHECK_NS)?.is_empty() {
                self.answer()?;
            }
        }
        if !self.closed && !self.left && !self.options.close_at_end {
            self.send("5", "")?;
        }
        Ok(())
    }

    /// Sends the reports at an even pace.
    fn stream_reports(&mut self) -> Result<()> {
        let step = SECOND as f64 / self.options.rate;
        let burst = self.options.burst.max(1);
        let mut start = clock::monotonic_ns();
        let mut number = 0_u64;
        while self.options.count.is_none_or(|count| self.reports < count) && !self.over() {
            let due = start + ((number / burst * burst) as f64 * step) as i64;
            self.listen_until(due)?;
            let late = clock::monotonic_ns() - due;
            if late > SECOND {
                // Stalled by a closed window: go on at the same pace instead of sending a burst.
                start += late;
            }
            if clock::monotonic_ns() >= due && !self.over() {
                self.report()?;
                self.extras()?;
                number += 1;
            }
        }
        Ok(())
    }

    /// Sends one ExecutionReport.
    fn report(&mut self) -> Result<()> {
        let (low, high) = (*self.options.size.start(), *self.options.size.end());
        // Sizes that look random and are the same in every run.
        let size =
            low + (self.reports.wrapping_mul(2_654_435_761) >> 7) as usize % (high - low + 1);
        let mut fields = std::mem::take(&mut self.fields);
        execution_report(self.reports + 1, size, &mut fields);
        if self.options.lose == Some(self.reports + 1) {
            let seq = self.writer.next_seq();
            self.writer.go_on_with(seq + 1);
            self.lost = Some((seq, clock::utc_ns(), fields.clone()));
        } else {
            self.send("8", &fields)?;
        }
        self.fields = fields;
        self.reports += 1;
        if self
            .options
            .beat_every
            .is_some_and(|every| self.reports.is_multiple_of(every))
        {
            self.send("0", "")?;
        }
        self.shared.sent.store(self.reports, Ordering::Relaxed);
        Ok(())
    }

    /// Sends what was not sent, and fills the rest of the gap with nothing.
    fn give_again(&mut self) -> Result<()> {
        let Some((seq, utc, fields)) = self.lost.take() else {
            return Ok(());
        };
        let next = self.writer.next_seq();
        let mut again = format!("43=Y{SOH}122=");
        self.options.resolution.write(utc, &mut again);
        again.push(SOH);
        again.push_str(&fields);
        self.writer.go_on_with(seq);
        self.send("8", &again)?;
        self.send("4", &format!("43=Y{SOH}123=Y{SOH}36={next}{SOH}"))?;
        self.writer.go_on_with(next);
        Ok(())
    }

    /// Sends a Heartbeat if nothing was sent for HeartBtInt.
    fn beat(&mut self) -> Result<()> {
        if clock::monotonic_ns() - self.last_sent > self.options.heartbeat.as_nanos() as i64 {
            self.send("0", "")?;
        }
        Ok(())
    }

    /// Sends one message, whatever the window: gives up only when the venue stops or the client is
    /// gone.
    fn send(&mut self, msg_type: &'static str, fields: &str) -> Result<()> {
        let seq = self.writer.next_seq();
        let (monotonic, utc) = (clock::monotonic_ns(), clock::utc_ns());
        let utc = utc + self.options.clock_offset_ns + self.shared.stepped(monotonic);
        let mut rest = self.writer.message(msg_type, utc, fields);
        let mut blocked_since = None;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(length) => {
                    rest = &rest[length..];
                    self.written += length as u64;
                    if let Some(watch) = &self.unsent {
                        watch.written(self.written);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    blocked_since.get_or_insert_with(clock::monotonic_ns);
                    self.shared.blocked.store(true, Ordering::Relaxed);
                    if self.shared.stop.load(Ordering::Acquire) {
                        self.closed = true;
                        return Ok(());
                    }
                    wait(&self.stream, PollFlags::POLLOUT, STOP_CHECK_NS)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.closed = true;
                    return Ok(());
                }
            }
        }
        self.shared.blocked.store(false, Ordering::Relaxed);
        self.last_sent = clock::monotonic_ns();
        self.log.push(Sent {
            seq,
            msg_type,
            resend: Resend::No,
            end: self.written,
            sent_ns: self.options.resolution.truncate(utc),
            stamped_ns: utc,
            sent_monotonic_ns: monotonic,
            taken_monotonic_ns: self.last_sent,
            limited_ns: None,
            blocked_ns: blocked_since.map_or(0, |since| clock::monotonic_ns() - since),
        });
        Ok(())
    }

    /// The log, with what was seen of the send buffer.
    fn into_log(mut self) -> Result<Vec<Sent>> {
        if let Some(watch) = self.unsent {
            let looks = watch.stop()?;
            for sent in &mut self.log {
                let left = looks.left(sent.end);
                sent.limited_ns = left.map(|left| looks.limited(sent.sent_monotonic_ns, left));
            }
        }
        Ok(self.log)
    }

    /// Answers the client until the monotonic instant `until`.
    fn listen_until(&mut self, until: i64) -> Result<()> {
        loop {
            let left = until - clock::monotonic_ns();
            if left <= 0 || self.over() {
                return Ok(());
            }
            let ready = wait(&self.stream, PollFlags::POLLIN, left.min(STOP_CHECK_NS))?;
            if !ready.is_empty() {
                self.answer()?;
                if !self.shared.gate.load(Ordering::Acquire) {
                    return Ok(());
                }
            }
        }
    }

    /// Reads what the client sent and answers it.
    fn answer(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.closed = true,
            Ok(length) => self.cutter.push(&buffer[..length]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.closed = true,
        }
        while let Some(message) = self.cutter.next_message() {
            self.shared
                .heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Heard {
                    msg_type: message.msg_type.clone(),
                    sent_ns: clock::parse_utc(&message.sending_time),
                    ref_seq: message.ref_seq,
                });
            match message.msg_type.as_str() {
                _ if self.left => {}
                "A" => {
                    let interval = self.options.heartbeat.as_secs();
                    self.send("A", &format!("98=0\u{1}108={interval}\u{1}"))?;
                    self.shared.logged_on.store(true, Ordering::Release);
                }
                "1" => {
                    let id = message.test_req_id.unwrap_or_default();
                    self.send("0", &format!("112={id}\u{1}"))?;
                }
                "2" => self.give_again()?,
                "5" => {
                    self.send("5", "")?;
                    self.left = true;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
