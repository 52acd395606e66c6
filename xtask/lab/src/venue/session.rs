//! The stream of one connection: its pace, its messages, its log.

use std::io::{ErrorKind, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use nix::poll::PollFlags;
use nix::sys::socket::{setsockopt, sockopt};

use super::{Resend, SentMessage, VenueOptions, VenueState};
use crate::clock::{self, SECOND};
use crate::cpu;
use crate::fix::{FixWriter, MessageFramer, execution_report};
use crate::poll::{self, STOP_CHECK};
use crate::send_buffer::SendBufferSampler;

const STOP_CHECK_NS: i64 = STOP_CHECK.as_nanos() as i64;

/// Serves the clients one after the other; returns the messages that were sent completely.
pub(super) fn serve(
    listener: &TcpListener,
    options: &VenueOptions,
    shared: &VenueState,
    stop: &AtomicBool,
) -> Result<Vec<SentMessage>> {
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
        let Some(stream) = poll::accept(listener, stop)? else {
            break;
        };
        let mut session = VenueSession::new(stream, options, shared, stop)?;
        if !options.reset {
            session.writer.set_next_seq(next);
        }
        session.run()?;
        next = session.writer.next_seq();
        log.append(&mut session.into_log()?);
    }
    Ok(log)
}

/// One connection with a client.
pub(super) struct VenueSession<'a> {
    pub(super) stream: TcpStream,
    pub(super) options: &'a VenueOptions,
    pub(super) shared: &'a VenueState,
    pub(super) stop: &'a AtomicBool,
    pub(super) writer: FixWriter,
    pub(super) cutter: MessageFramer,
    pub(super) log: Vec<SentMessage>,
    pub(super) fields: String,
    pub(super) reports: u64,
    pub(super) last_sent: i64,
    /// Bytes written to the socket.
    pub(super) written: u64,
    pub(super) sampler: Option<SendBufferSampler>,
    /// The lost report: MsgSeqNum, time in UTC nanoseconds, fields.
    pub(super) lost: Option<(u64, i64, String)>,
    /// The client has logged out and closes the connection.
    pub(super) logged_out: bool,
    pub(super) closed: bool,
}

impl<'a> VenueSession<'a> {
    fn new(
        stream: TcpStream,
        options: &'a VenueOptions,
        shared: &'a VenueState,
        stop: &'a AtomicBool,
    ) -> Result<Self> {
        stream.set_nodelay(options.nodelay)?;
        stream.set_nonblocking(true)?;
        if let Some(bytes) = options.send_buffer {
            setsockopt(&stream.as_fd(), sockopt::SndBuf, &bytes).context("SO_SNDBUF")?;
        }
        let sampler = options
            .sample_send_buffer
            .then(|| SendBufferSampler::start(&stream));
        Ok(Self {
            stream,
            options,
            shared,
            stop,
            written: 0,
            sampler: sampler.transpose()?,
            writer: FixWriter::new(options.sender.as_str(), "DROP", options.resolution),
            cutter: MessageFramer::default(),
            log: Vec::new(),
            fields: String::new(),
            reports: 0,
            last_sent: clock::monotonic_ns(),
            lost: None,
            logged_out: false,
            closed: false,
        })
    }

    pub(super) fn over(&self) -> bool {
        self.logged_out || self.gone()
    }

    pub(super) fn gone(&self) -> bool {
        self.closed || self.stop.load(Ordering::Acquire)
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
        while self.logged_out && !self.gone() {
            if !poll::wait(&self.stream, PollFlags::POLLIN, STOP_CHECK)?.is_empty() {
                self.answer()?;
            }
        }
        if !self.closed && !self.logged_out && !self.options.close_at_end {
            self.send("5", "")?;
        }
        Ok(())
    }

    /// Sends the ExecutionReports at a steady rate.
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
                // Stalled by a closed window: continue at the same rate instead of sending a burst.
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
    pub(super) fn report(&mut self) -> Result<()> {
        let (low, high) = (*self.options.size.start(), *self.options.size.end());
        // Pseudo-random sizes, the same in every run.
        let size =
            low + (self.reports.wrapping_mul(2_654_435_761) >> 7) as usize % (high - low + 1);
        let mut fields = std::mem::take(&mut self.fields);
        execution_report(self.reports + 1, size, &mut fields);
        if self.options.lose == Some(self.reports + 1) {
            let seq = self.writer.next_seq();
            self.writer.set_next_seq(seq + 1);
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

    /// Sends a Heartbeat if nothing was sent for HeartBtInt.
    fn beat(&mut self) -> Result<()> {
        if clock::monotonic_ns() - self.last_sent > self.options.heartbeat.as_nanos() as i64 {
            self.send("0", "")?;
        }
        Ok(())
    }

    /// Sends one message and waits for the window if necessary. It gives up only when the venue
    /// stops or the client has closed.
    pub(super) fn send(&mut self, msg_type: &'static str, fields: &str) -> Result<()> {
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
                    if let Some(sampler) = &self.sampler {
                        sampler.written(self.written);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    blocked_since.get_or_insert_with(clock::monotonic_ns);
                    self.shared.blocked.store(true, Ordering::Relaxed);
                    if self.stop.load(Ordering::Acquire) {
                        self.closed = true;
                        return Ok(());
                    }
                    poll::wait(&self.stream, PollFlags::POLLOUT, STOP_CHECK)?;
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
        self.log.push(SentMessage {
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

    /// Returns the log with the samples of the send buffer.
    fn into_log(mut self) -> Result<Vec<SentMessage>> {
        if let Some(sampler) = self.sampler {
            let samples = sampler.stop()?;
            for sent in &mut self.log {
                let left = samples.left(sent.end);
                sent.limited_ns = left.map(|left| samples.limited(sent.sent_monotonic_ns, left));
            }
        }
        Ok(self.log)
    }
}
