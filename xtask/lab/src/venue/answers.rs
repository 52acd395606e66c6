//! The venue's answers to its client.

use std::io::{ErrorKind, Read as _};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use nix::poll::PollFlags;

use super::ClientMessage;
use super::session::VenueSession;
use crate::clock;
use crate::fix::SOH;
use crate::poll::{self, STOP_CHECK};

impl VenueSession<'_> {
    /// Answers the client until the monotonic instant `until`.
    pub(super) fn listen_until(&mut self, until: i64) -> Result<()> {
        loop {
            let left = until - clock::monotonic_ns();
            if left <= 0 || self.over() {
                return Ok(());
            }
            let timeout = Duration::from_nanos(left.cast_unsigned()).min(STOP_CHECK);
            let ready = poll::wait(&self.stream, PollFlags::POLLIN, timeout)?;
            if !ready.is_empty() {
                self.answer()?;
                if !self.shared.gate.load(Ordering::Acquire) {
                    return Ok(());
                }
            }
        }
    }

    /// Reads what the client sent and answers it.
    pub(super) fn answer(&mut self) -> Result<()> {
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
                .received
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(ClientMessage {
                    msg_type: message.msg_type.clone(),
                    sent_ns: clock::parse_utc(&message.sending_time),
                    ref_seq: message.ref_seq,
                });
            match message.msg_type.as_str() {
                _ if self.logged_out => {}
                "A" => {
                    let interval = self.options.heartbeat.as_secs();
                    self.send("A", &format!("98=0\u{1}108={interval}\u{1}"))?;
                    self.shared.logged_on.store(true, Ordering::Release);
                }
                "1" => {
                    let id = message.test_req_id.unwrap_or_default();
                    self.send("0", &format!("112={id}\u{1}"))?;
                }
                "2" => self.resend_lost()?,
                "5" => {
                    self.send("5", "")?;
                    self.logged_out = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends the lost message and a GapFill for the rest.
    fn resend_lost(&mut self) -> Result<()> {
        let Some((seq, utc, fields)) = self.lost.take() else {
            return Ok(());
        };
        let next = self.writer.next_seq();
        let mut again = format!("43=Y{SOH}122=");
        self.options.resolution.write(utc, &mut again);
        again.push(SOH);
        again.push_str(&fields);
        self.writer.set_next_seq(seq);
        self.send("8", &again)?;
        self.send("4", &format!("43=Y{SOH}123=Y{SOH}36={next}{SOH}"))?;
        self.writer.set_next_seq(next);
        Ok(())
    }
}
