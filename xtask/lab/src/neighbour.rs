//! `victims neighbour`: one of the many processes of a node, few of which read FIX.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;

/// What a neighbour does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NeighbourKind {
    /// reads a FIX session
    Fix,
    /// reads something else from a TCP connection
    Plain,
    /// sleeps and wakes up
    Ticks,
}

impl NeighbourKind {
    /// Returns the first bytes it sends, by which the other end distinguishes them.
    const fn greeting(self) -> &'static [u8] {
        match self {
            Self::Fix => b"8=FIX\n",
            Self::Plain | Self::Ticks => b"HELLO\n",
        }
    }
}

/// Length of a greeting, bytes.
pub const GREETING_BYTES: usize = 6;

/// The options of `victims neighbour`.
#[derive(Clone, Debug, clap::Args)]
pub struct NeighbourOptions {
    /// What it does.
    #[arg(long)]
    pub kind: NeighbourKind,
    /// The port on 127.0.0.1 it connects to.
    #[arg(long)]
    pub port: u16,
    /// How long it runs, milliseconds.
    #[arg(long)]
    pub life_ms: u64,
    /// How long a connection lasts, milliseconds.
    #[arg(long)]
    pub stay_ms: u64,
}

/// Runs for its lifetime.
pub fn run(options: &NeighbourOptions) -> Result<()> {
    let end = Instant::now() + Duration::from_millis(options.life_ms);
    if options.kind == NeighbourKind::Ticks {
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        return Ok(());
    }
    while Instant::now() < end {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, options.port))?;
        stream.write_all(options.kind.greeting())?;
        let leave = end.min(Instant::now() + Duration::from_millis(options.stay_ms));
        let mut buffer = [0; 4096];
        while Instant::now() < leave && stream.read(&mut buffer)? > 0 {}
    }
    Ok(())
}
