//! A TCP relay on loopback that simulates a network between venue and victim: it delays what the
//! venue sends, and forwards at once what the victim sends.
//!
//! Its log has the instants at which each piece of the stream came in and was forwarded.

mod delay;
mod pump;

use std::net::TcpListener;

use anyhow::{Context as _, Result};

pub use self::delay::Delay;
use crate::background::Background;
use crate::cpu;

/// A piece of the venue's stream that was forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayedPiece {
    /// One past its last byte, counted from the beginning of the stream.
    pub end: u64,
    /// When it came in, monotonic, nanoseconds.
    pub in_ns: i64,
    /// When it was due: after its delay, and not before the previous piece.
    pub due_ns: i64,
    /// The return of the send call that forwarded it, monotonic, nanoseconds.
    pub out_ns: i64,
}

/// A running relay. Dropping it ends it.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    thread: Background<Result<Vec<RelayedPiece>>>,
}

impl Relay {
    /// Starts it on a free loopback port, for one victim of the venue on port `venue`.
    pub fn start(venue: u16, delay: Delay) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen for the relay")?;
        let port = listener.local_addr()?.port();
        let thread = Background::spawn("relay", move |stop| {
            cpu::precise_sleeps();
            pump::run(&listener, venue, delay, stop)
        })?;
        Ok(Self { port, thread })
    }

    /// Returns its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes the connections and returns the log, in the order of the stream.
    pub fn stop(self) -> Result<Vec<RelayedPiece>> {
        self.thread.stop()?
    }
}

/// Returns when the byte before stream position `end` was forwarded, monotonic, nanoseconds.
pub fn forwarded_at(log: &[RelayedPiece], end: u64) -> Option<i64> {
    let index = log.partition_point(|piece| piece.end < end);
    log.get(index).map(|piece| piece.out_ns)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

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
        assert_eq!(log.last().map(|piece| piece.end), Some(sent.len() as u64));
        for piece in &log {
            assert!(
                piece.out_ns >= piece.due_ns && piece.due_ns > piece.in_ns,
                "{piece:?}"
            );
        }
        assert_eq!(forwarded_at(&log, 1), Some(log[0].out_ns));
        assert_eq!(forwarded_at(&log, log[0].end + 1), Some(log[1].out_ns));
        assert_eq!(forwarded_at(&log, sent.len() as u64 + 1), None);
    }
}
