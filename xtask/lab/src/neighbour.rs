//! `victims neighbour`: one of the many processes of a node, of which few read FIX.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;

/// What it does.
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
    /// What it sends first: the other end distinguishes them by it.
    const fn greeting(self) -> &'static [u8] {
        match self {
            Self::Fix => b"8=FIX\n",
            Self::Plain | Self::Ticks => b"HELLO\n",
        }
    }
}

/// How long a greeting is, bytes.
pub const GREETING: usize = 6;

/// NeighbourOptions of the hidden subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct NeighbourOptions {
    /// What it does.
    #[arg(long)]
    pub does: NeighbourKind,
    /// Whom it connects to, on 127.0.0.1.
    #[arg(long)]
    pub port: u16,
    /// It ends after so long, milliseconds.
    #[arg(long)]
    pub life_ms: u64,
    /// A connection is left for another after so long, milliseconds.
    #[arg(long)]
    pub stay_ms: u64,
}

/// Until its life is over.
pub fn run(options: &NeighbourOptions) -> Result<()> {
    let end = Instant::now() + Duration::from_millis(options.life_ms);
    if options.does == NeighbourKind::Ticks {
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        return Ok(());
    }
    while Instant::now() < end {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, options.port))?;
        stream.write_all(options.does.greeting())?;
        let leave = end.min(Instant::now() + Duration::from_millis(options.stay_ms));
        let mut buffer = [0; 4096];
        while Instant::now() < leave && stream.read(&mut buffer)? > 0 {}
    }
    Ok(())
}
