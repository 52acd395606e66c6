//! The client's side of one connection to a venue.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use crate::clock::{self, Resolution};
use crate::fix::{FixWriter, MessageFields, MessageFramer};

/// A connection to a venue.
pub(super) struct ClientSession {
    pub(super) venue: u16,
    pub(super) local: u16,
    /// The number of this connection to the venue, from 1.
    pub(super) connection: u32,
    pub(super) stream: TcpStream,
    cutter: MessageFramer,
}

/// The outcome of a receive call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiveOutcome {
    Bytes,
    Nothing,
    End,
}

impl ClientSession {
    /// Connects and logs on.
    pub(super) fn log_on(venue: u16, connection: u32) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, venue))
            .context("a crowd cannot reach its venue")?;
        stream.set_nodelay(true)?;
        let mut writer = FixWriter::new("DROP", "VENUE", Resolution::Micros);
        (&stream).write_all(writer.message("A", clock::utc_ns(), "98=0\u{1}108=30\u{1}"))?;
        Ok(Self {
            venue,
            local: stream.local_addr()?.port(),
            connection,
            stream,
            cutter: MessageFramer::default(),
        })
    }

    /// Makes one receive call; nothing runs before it.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<ReceiveOutcome> {
        match recv(self.stream.as_raw_fd(), buffer, MsgFlags::empty()) {
            // A venue that closes with unread bytes resets the connection: an orderly end here.
            Ok(0) | Err(Errno::ECONNRESET) => Ok(ReceiveOutcome::End),
            Ok(length) => {
                self.cutter.push(&buffer[..length]);
                Ok(ReceiveOutcome::Bytes)
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(ReceiveOutcome::Nothing),
            Err(error) => Err(error).context("the receive call failed"),
        }
    }

    /// Returns the next complete message that was received.
    pub(super) fn next_message(&mut self) -> Option<MessageFields> {
        self.cutter.next_message()
    }
}
