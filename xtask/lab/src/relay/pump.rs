//! The loop that forwards the bytes.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags};

use super::{Delay, RelayedPiece};
use crate::clock;
use crate::poll::{self, STOP_CHECK};

/// Accepts one victim and forwards until both ends are closed or `stop` is set. Returns the pieces
/// that were forwarded to the victim, in the order of the stream.
pub(super) fn run(
    listener: &TcpListener,
    venue: u16,
    delay: Delay,
    stop: &AtomicBool,
) -> Result<Vec<RelayedPiece>> {
    let Some(victim) = poll::accept(listener, stop)? else {
        return Ok(Vec::new());
    };
    let venue =
        TcpStream::connect(("127.0.0.1", venue)).context("the relay cannot reach the venue")?;
    for stream in [&victim, &venue] {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
    }
    let mut pump = Pump {
        venue: RelayEnd::new(venue),
        victim: RelayEnd::new(victim),
        line: DelayLine::new(delay),
        buffer: vec![0; 1 << 16],
        log: Vec::new(),
        closed_to_victim: false,
        stop,
    };
    pump.run()?;
    Ok(pump.log)
}

/// One of the two connections.
struct RelayEnd {
    stream: TcpStream,
    /// The peer may still send.
    open: bool,
}

impl RelayEnd {
    fn new(stream: TcpStream) -> Self {
        Self { stream, open: true }
    }
}

/// The state of the relay.
struct Pump<'a> {
    venue: RelayEnd,
    victim: RelayEnd,
    line: DelayLine,
    buffer: Vec<u8>,
    log: Vec<RelayedPiece>,
    closed_to_victim: bool,
    stop: &'a AtomicBool,
}

impl Pump<'_> {
    fn run(&mut self) -> Result<()> {
        while !self.stop.load(Ordering::Acquire) && self.is_busy() {
            let [venue, victim] = self.wait()?;
            if venue {
                self.read_from_venue()?;
            }
            if victim {
                self.forward_to_venue()?;
            }
            self.forward_due_pieces()?;
            self.forward_close();
        }
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.venue.open || self.victim.open || !self.line.pieces.is_empty()
    }

    /// Waits until there is something to read or to forward; returns which ends are readable.
    fn wait(&self) -> Result<[bool; 2]> {
        let timeout = self
            .line
            .due_in()
            .map_or(STOP_CHECK, |due| due.min(STOP_CHECK));
        let ends = [&self.venue, &self.victim];
        // A closed end would always be ready.
        let open = ends.iter().filter(|end| end.open);
        let mut fds: Vec<PollFd<'_>> = open
            .map(|end| PollFd::new(end.stream.as_fd(), PollFlags::POLLIN))
            .collect();
        poll::wait_for(&mut fds, timeout)?;
        let mut ready = fds
            .iter()
            .map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
        Ok(ends.map(|end| end.open && ready.next().unwrap_or(false)))
    }

    fn read_from_venue(&mut self) -> Result<()> {
        match read(&mut self.venue.stream, &mut self.buffer)? {
            Some(0) => self.venue.open = false,
            Some(length) => self.line.push(&self.buffer[..length]),
            None => {}
        }
        Ok(())
    }

    fn forward_to_venue(&mut self) -> Result<()> {
        match read(&mut self.victim.stream, &mut self.buffer)? {
            Some(0) => {
                self.victim.open = false;
                let _ = self.venue.stream.shutdown(Shutdown::Write);
            }
            Some(length) => write(&mut self.venue.stream, &self.buffer[..length], self.stop)?,
            None => {}
        }
        Ok(())
    }

    fn forward_due_pieces(&mut self) -> Result<()> {
        while let Some(piece) = self.line.pop_due() {
            write(&mut self.victim.stream, &piece.bytes, self.stop)?;
            self.log.push(RelayedPiece {
                out_ns: clock::monotonic_ns(),
                ..piece.relayed
            });
        }
        Ok(())
    }

    /// Closes towards the victim once the venue has closed and everything is forwarded.
    fn forward_close(&mut self) {
        if !self.venue.open && self.line.pieces.is_empty() && !self.closed_to_victim {
            self.closed_to_victim = true;
            let _ = self.victim.stream.shutdown(Shutdown::Write);
        }
    }
}

/// Bytes that wait for their delay.
struct Piece {
    bytes: Vec<u8>,
    relayed: RelayedPiece,
}

/// The queue of pieces that wait for their delay, in order.
struct DelayLine {
    delay: Delay,
    pieces: VecDeque<Piece>,
    /// When the first bytes came in, monotonic, nanoseconds.
    first_ns: Option<i64>,
    /// One past the last byte that came in.
    end: u64,
    /// Pieces that came in.
    count: u64,
    /// When the last piece is due, monotonic, nanoseconds.
    due_ns: i64,
}

impl DelayLine {
    fn new(delay: Delay) -> Self {
        Self {
            delay,
            pieces: VecDeque::new(),
            first_ns: None,
            end: 0,
            count: 0,
            due_ns: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let in_ns = clock::monotonic_ns();
        let first_ns = *self.first_ns.get_or_insert(in_ns);
        let since = Duration::from_nanos((in_ns - first_ns).cast_unsigned());
        let delay_ns = self.delay.of(self.count, since).as_nanos() as i64;
        self.due_ns = self.due_ns.max(in_ns + delay_ns);
        self.end += bytes.len() as u64;
        self.count += 1;
        self.pieces.push_back(Piece {
            bytes: bytes.to_vec(),
            relayed: RelayedPiece {
                end: self.end,
                in_ns,
                due_ns: self.due_ns,
                out_ns: 0,
            },
        });
    }

    /// Returns the time until the first piece is due; `None` without one.
    fn due_in(&self) -> Option<Duration> {
        let first = self.pieces.front()?;
        let left = (first.relayed.due_ns - clock::monotonic_ns()).max(0);
        Some(Duration::from_nanos(left.cast_unsigned()))
    }

    fn pop_due(&mut self) -> Option<Piece> {
        let first = self.pieces.front()?;
        (first.relayed.due_ns <= clock::monotonic_ns()).then(|| self.pieces.pop_front())?
    }
}

/// Reads the available bytes; `None` without any, 0 at the end of the stream.
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(length) => Ok(Some(length)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Some(0)),
        Err(error) => Err(error).context("the relay cannot read"),
    }
}

/// Writes all bytes; bytes for an end that has closed are dropped.
fn write(stream: &mut TcpStream, mut bytes: &[u8], stop: &AtomicBool) -> Result<()> {
    while !bytes.is_empty() && !stop.load(Ordering::Acquire) {
        match stream.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll::wait(stream, PollFlags::POLLOUT, STOP_CHECK)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}
