//! A stand-in for a database: echoes every request after a fixed time.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::background::Background;
use crate::poll;

/// A running database. Dropping it ends it.
#[derive(Debug)]
pub struct Database {
    port: u16,
    _thread: Background<Result<()>>,
}

impl Database {
    /// Starts it on a free loopback port; every answer takes `delay`.
    pub fn start(delay: Duration) -> Result<Self> {
        let listener =
            TcpListener::bind("127.0.0.1:0").context("cannot listen for the database")?;
        let port = listener.local_addr()?.port();
        let thread = Background::spawn("database", move |stop| {
            // Clients are served until the flag is set, each by a thread of its own.
            std::thread::scope(|scope| {
                while let Some(stream) = poll::accept(&listener, stop)? {
                    scope.spawn(move || serve(stream, delay, stop));
                }
                Ok(())
            })
        })?;
        Ok(Self {
            port,
            _thread: thread,
        })
    }

    /// Returns its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn serve(mut stream: TcpStream, delay: Duration, stopped: &AtomicBool) {
    let mut buffer = [0; 4096];
    let configured = stream
        .set_nodelay(true)
        .and_then(|()| stream.set_read_timeout(Some(Duration::from_millis(100))));
    if configured.is_err() {
        return;
    }
    while !stopped.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if !delay.is_zero() {
                    std::thread::sleep(delay);
                }
                if stream.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}
