//! A TCP relay on loopback that stands for a network between venue and victim: what the venue sends
//! is passed on after a set delay, what the victim sends at once.
//!
//! It keeps its own log: by when which bytes had come in, and when they were passed on.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::clock;
use crate::cpu;

/// How often it looks whether it should end.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// How long bytes take. They are passed on in order, so a shorter delay never overtakes a longer
/// one.
#[derive(Clone, Copy, Debug)]
pub enum Delay {
    /// Always the same.
    Constant(Duration),
    /// The first, and `after` the first bytes the second.
    Changing {
        /// At the beginning.
        first: Duration,
        /// Later on.
        then: Duration,
        /// When it changes.
        after: Duration,
    },
    /// Anything between the two, different for each piece, and the same in every run.
    Jitter(Duration, Duration),
}

impl Delay {
    /// Of the `index`th piece, which came `since` the first.
    fn of(self, index: u64, since: Duration) -> Duration {
        match self {
            Self::Constant(delay) => delay,
            Self::Changing { first, then, after } => {
                if since < after {
                    first
                } else {
                    then
                }
            }
            Self::Jitter(low, high) => {
                let random = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
                low + (high - low) * random as u32 / (1 << 20)
            }
        }
    }
}

/// A piece of the venue's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// One past its last byte, counted from the beginning of the stream.
    pub end: u64,
    /// When it came in, monotonic, nanoseconds.
    pub in_ns: i64,
    /// When it was to be passed on: after its delay, and not before the piece before it.
    pub due_ns: i64,
    /// The return of the send call that passed it on, monotonic, nanoseconds.
    pub out_ns: i64,
}

/// A running relay; dropping it ends it.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Passed>>>>,
}

impl Relay {
    /// Listens on a free loopback port for one victim of the venue on `venue`.
    pub fn start(venue: u16, delay: Delay) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen for the relay")?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("relay".into())
            .spawn(move || {
                cpu::precise_sleeps();
                pass(&listener, venue, delay, &seen)
            })?;
        Ok(Self {
            port,
            stop,
            thread: Some(thread),
        })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes, and returns what was passed on, in the order of the stream.
    pub fn stop(mut self) -> Result<Vec<Passed>> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(log)) => log,
            _ => anyhow::bail!("the relay's thread panicked"),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for at most `timeout`; returns what is ready on each.
fn wait<const N: usize>(
    sockets: [(&dyn std::os::fd::AsFd, PollFlags); N],
    timeout: Duration,
) -> Result<[PollFlags; N]> {
    let mut fds = sockets.map(|(socket, flags)| PollFd::new(socket.as_fd(), flags));
    match ppoll(&mut fds, Some(TimeSpec::from(timeout)), None) {
        Ok(_) | Err(nix::Error::EINTR) => {
            Ok(fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty())))
        }
        Err(error) => Err(error).context("poll"),
    }
}

/// Bytes on their way.
struct Piece {
    bytes: Vec<u8>,
    passed: Passed,
}

/// Passes on until both ends are closed or it is told to stop.
fn pass(
    listener: &TcpListener,
    venue: u16,
    delay: Delay,
    stop: &AtomicBool,
) -> Result<Vec<Passed>> {
    while wait([(listener, PollFlags::POLLIN)], STOP_CHECK)?[0].is_empty() {
        if stop.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
    }
    let mut victim = listener.accept().context("the relay cannot accept")?.0;
    let mut venue =
        TcpStream::connect(("127.0.0.1", venue)).context("the relay cannot reach the venue")?;
    for stream in [&victim, &venue] {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
    }
    let mut log: Vec<Passed> = Vec::new();
    let mut on_the_way: VecDeque<Piece> = VecDeque::new();
    let mut first_ns = None;
    let (mut end, mut index, mut due_ns) = (0, 0, 0);
    let (mut venue_open, mut victim_open, mut closed_to_victim) = (true, true, false);
    let mut buffer = vec![0; 1 << 16];
    while !stop.load(Ordering::Acquire) && (venue_open || victim_open || !on_the_way.is_empty()) {
        let due = on_the_way.front().map(|piece| piece.passed.due_ns);
        let left = due.map_or(STOP_CHECK, |due| {
            let left = (due - clock::monotonic_ns()).max(0);
            STOP_CHECK.min(Duration::from_nanos(left.cast_unsigned()))
        });
        let wanted = |open| {
            if open {
                PollFlags::POLLIN
            } else {
                PollFlags::empty()
            }
        };
        // An end that is closed would be ready all the time.
        let ready = match (venue_open, victim_open) {
            (true, true) => wait([(&venue, wanted(true)), (&victim, wanted(true))], left)?,
            (true, false) => [wait([(&venue, wanted(true))], left)?[0], PollFlags::empty()],
            (false, true) => [
                PollFlags::empty(),
                wait([(&victim, wanted(true))], left)?[0],
            ],
            (false, false) => {
                std::thread::sleep(left);
                [PollFlags::empty(); 2]
            }
        };
        if !ready[0].is_empty() {
            match take(&mut venue, &mut buffer)? {
                Some(0) => venue_open = false,
                Some(length) => {
                    let in_ns = clock::monotonic_ns();
                    let first_ns = *first_ns.get_or_insert(in_ns);
                    let since = Duration::from_nanos((in_ns - first_ns).cast_unsigned());
                    let delay_ns = delay.of(index, since).as_nanos() as i64;
                    due_ns = due_ns.max(in_ns + delay_ns);
                    end += length as u64;
                    index += 1;
                    on_the_way.push_back(Piece {
                        bytes: buffer[..length].to_vec(),
                        passed: Passed {
                            end,
                            in_ns,
                            due_ns,
                            out_ns: 0,
                        },
                    });
                }
                None => {}
            }
        }
        if !ready[1].is_empty() {
            match take(&mut victim, &mut buffer)? {
                Some(0) => {
                    victim_open = false;
                    let _ = venue.shutdown(Shutdown::Write);
                }
                Some(length) => give(&mut venue, &buffer[..length], stop)?,
                None => {}
            }
        }
        while on_the_way
            .front()
            .is_some_and(|piece| piece.passed.due_ns <= clock::monotonic_ns())
        {
            let Some(piece) = on_the_way.pop_front() else {
                break;
            };
            give(&mut victim, &piece.bytes, stop)?;
            log.push(Passed {
                out_ns: clock::monotonic_ns(),
                ..piece.passed
            });
        }
        if !venue_open && on_the_way.is_empty() && !closed_to_victim {
            closed_to_victim = true;
            let _ = victim.shutdown(Shutdown::Write);
        }
    }
    Ok(log)
}

/// Reads what there is: `None` when that is nothing, 0 at the end of the stream.
fn take(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(length) => Ok(Some(length)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Some(0)),
        Err(error) => Err(error).context("the relay cannot read"),
    }
}

/// Writes all of it. An end that is gone takes everything.
fn give(stream: &mut TcpStream, mut bytes: &[u8], stop: &AtomicBool) -> Result<()> {
    while !bytes.is_empty() && !stop.load(Ordering::Acquire) {
        match stream.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait([(stream, PollFlags::POLLOUT)], STOP_CHECK)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// When the byte before position `end` was passed on, monotonic, nanoseconds; `log` is in the order
/// of the stream.
pub fn passed_on(log: &[Passed], end: u64) -> Option<i64> {
    let index = log.partition_point(|passed| passed.end < end);
    log.get(index).map(|passed| passed.out_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_change_as_set() {
        let ms = Duration::from_millis;
        let changing = Delay::Changing {
            first: ms(5),
            then: ms(40),
            after: ms(100),
        };
        assert_eq!(changing.of(3, ms(99)), ms(5));
        assert_eq!(changing.of(3, ms(100)), ms(40));
        let jitter = Delay::Jitter(ms(2), ms(20));
        let all: Vec<Duration> = (0..1000).map(|index| jitter.of(index, ms(0))).collect();
        assert!(all.iter().all(|delay| (ms(2)..=ms(20)).contains(delay)));
        let below = all.iter().filter(|delay| **delay < ms(11)).count();
        assert!(
            (400..600).contains(&below),
            "{below} of 1000 in the lower half"
        );
    }

    #[test]
    fn bytes_come_out_whole_in_order_and_not_before_their_time() {
        let venue = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = venue.local_addr().expect("bound").port();
        let relay = Relay::start(
            port,
            Delay::Jitter(Duration::from_millis(1), Duration::from_millis(9)),
        )
        .expect("a relay");
        let mut victim = TcpStream::connect(("127.0.0.1", relay.port())).expect("connected");
        let (mut venue, _) = venue.accept().expect("accepted");
        victim.write_all(b"logon").expect("written");
        let mut logon = [0; 5];
        venue.read_exact(&mut logon).expect("read");
        assert_eq!(&logon, b"logon");
        let sent: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
        for piece in sent.chunks(700) {
            venue.write_all(piece).expect("written");
            std::thread::sleep(Duration::from_micros(300));
        }
        drop(venue);
        let mut received = Vec::new();
        victim.read_to_end(&mut received).expect("the end");
        assert!(
            received == sent,
            "{} bytes of {}",
            received.len(),
            sent.len()
        );
        drop(victim);
        let log = relay.stop().expect("its log");
        assert_eq!(log.last().map(|passed| passed.end), Some(sent.len() as u64));
        for passed in &log {
            assert!(
                passed.out_ns >= passed.due_ns && passed.due_ns > passed.in_ns,
                "{passed:?}"
            );
        }
        assert_eq!(passed_on(&log, 1), Some(log[0].out_ns));
        assert_eq!(passed_on(&log, log[0].end + 1), Some(log[1].out_ns));
        assert_eq!(passed_on(&log, sent.len() as u64 + 1), None);
    }
}
