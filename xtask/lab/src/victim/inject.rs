//! The injected causes of waiting.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::VictimOptions;
use super::locks::RivalLock;
use super::marks::{MarkKind, Marks};
use crate::{clock, cpu};
use workspace::child::{self, Guarded};

/// What a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Inject {
    /// nothing
    None,
    /// a mutex that another thread of the process holds most of the time
    Mutex,
    /// nothing here: the test puts the process into a cgroup with a quota
    Throttle,
    /// nothing here: the test starts a rival on the same CPU
    Rival,
    /// a full pipe that another thread drains at a known pace
    Pipe,
    /// a full pipe that another process drains at a known pace
    Sink,
    /// the process stops reading for stretches, behind a small receive buffer
    Rcvbuf,
    /// a sleep
    Sleep,
    /// a round trip on another socket, with a poll and a recv of its own
    Db,
    /// a round trip on another socket with a blocking recv, as most database drivers make it
    Query,
    /// a write to a file and fsync(2)
    Fsync,
    /// a mutex of the C library that another thread takes right before
    Lock,
    /// a deadlock of two such mutexes; with a hold time of 0 it never ends
    Deadlock,
    /// nothing: it computes
    Spin,
}

/// Bytes in the pipe, and bytes written to it per message.
const PIPE_BYTES: usize = 4096;

/// Bytes written to the file per message.
const SYNCED_BYTES: usize = 2 << 20;

/// One injected cause, set up.
pub(super) enum Injection {
    None,
    Mutex(Arc<Mutex<u64>>),
    Pipe {
        writer: PipeWriter,
        /// The process at the other end, if it is one; it ends with this one.
        _sink: Option<Guarded>,
    },
    Pause {
        every_ns: i64,
        pause: Duration,
        last: i64,
    },
    Sleep(Duration),
    Database {
        stream: TcpStream,
        poll: bool,
    },
    File(File),
    Lock(RivalLock),
    /// CPU time, nanoseconds.
    Spin(i64),
}

impl Injection {
    /// Sets up all injected causes.
    pub(super) fn all(options: &VictimOptions) -> Result<Vec<Self>> {
        let start = |&inject| Self::start(inject, options);
        options.inject.iter().map(start).collect()
    }

    fn start(inject: Inject, options: &VictimOptions) -> Result<Self> {
        let hold = Duration::from_micros(options.hold_us);
        let gap = Duration::from_micros(options.gap_us);
        Ok(match inject {
            Inject::None | Inject::Throttle | Inject::Rival => Self::None,
            Inject::Mutex => {
                let lock = Arc::new(Mutex::new(0));
                let rival = Arc::clone(&lock);
                spawn("rival", move || {
                    loop {
                        if let Ok(mut holds) = rival.lock() {
                            *holds += 1;
                            std::thread::sleep(hold);
                        }
                        std::thread::sleep(gap);
                    }
                })?;
                Self::Mutex(lock)
            }
            Inject::Pipe => {
                let (reader, writer) = small_pipe()?;
                spawn("drain", move || drain(reader, hold))?;
                Self::Pipe {
                    writer,
                    _sink: None,
                }
            }
            Inject::Sink => {
                let (reader, writer) = small_pipe()?;
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["drain", "--hold-us", &options.hold_us.to_string()]);
                let sink = Guarded::spawn(command.stdin(reader), "the sink")?;
                Self::Pipe {
                    writer,
                    _sink: Some(sink),
                }
            }
            Inject::Rcvbuf => Self::Pause {
                every_ns: gap.as_nanos() as i64,
                pause: hold,
                last: clock::monotonic_ns(),
            },
            Inject::Sleep => Self::Sleep(hold),
            Inject::Db | Inject::Query => {
                let port = options.database.context("the database needs --database")?;
                let stream =
                    TcpStream::connect(("127.0.0.1", port)).context("cannot reach the database")?;
                stream.set_nodelay(true)?;
                Self::Database {
                    stream,
                    poll: inject == Inject::Db,
                }
            }
            Inject::Fsync => Self::File(File::create(options.log.with_extension("synced"))?),
            Inject::Lock => Self::Lock(RivalLock::start(hold, false)?),
            Inject::Deadlock => Self::Lock(RivalLock::start(hold, true)?),
            Inject::Spin => Self::Spin(hold.as_nanos() as i64),
        })
    }

    /// Returns the kind of mark that ends a wait for it; `None` without a wait.
    pub(super) fn kind(&self) -> Option<MarkKind> {
        match self {
            Self::None => None,
            Self::Mutex(_) | Self::Lock(_) => Some(MarkKind::Lock),
            Self::Spin(_) => Some(MarkKind::Work),
            _ => Some(MarkKind::Block),
        }
    }

    /// Waits for the injected cause; returns the time it took, nanoseconds.
    pub(super) fn wait(&mut self, marks: &mut Marks) -> Result<i64> {
        let start = clock::monotonic_ns();
        match self {
            Self::None => return Ok(0),
            Self::Mutex(lock) => {
                let _ = lock.lock().map(|mut holds| *holds += 1);
            }
            Self::Pipe { writer, .. } => writer.write_all(&[0; PIPE_BYTES])?,
            Self::Pause {
                every_ns,
                pause,
                last,
            } => {
                if start - *last > *every_ns {
                    std::thread::sleep(*pause);
                    *last = clock::monotonic_ns();
                }
            }
            Self::Sleep(duration) => std::thread::sleep(*duration),
            Self::Database {
                stream,
                poll: polls,
            } => {
                let request = [0x51; 64];
                stream.write_all(&request)?;
                if *polls {
                    poll(
                        &mut [PollFd::new(stream.as_fd(), PollFlags::POLLIN)],
                        PollTimeout::NONE,
                    )?;
                }
                stream.read_exact(&mut [0; 64])?;
            }
            Self::File(file) => {
                file.write_all_at(&vec![0; SYNCED_BYTES], 0)?;
                file.sync_all()?;
            }
            Self::Lock(lock) => lock.wait()?,
            Self::Spin(cpu_ns) => marks.work(*cpu_ns)?,
        }
        Ok(clock::monotonic_ns() - start)
    }
}

/// The options of `victims drain`: the process behind a full pipe.
#[derive(Clone, Debug, clap::Args)]
pub struct DrainOptions {
    /// Time per message, microseconds.
    #[arg(long)]
    pub hold_us: u64,
}

impl DrainOptions {
    /// Reads standard input slowly, to its end.
    pub fn run(&self) -> Result<()> {
        child::die_with_parent();
        cpu::precise_sleeps();
        drain(std::io::stdin().lock(), Duration::from_micros(self.hold_us));
        Ok(())
    }
}

fn small_pipe() -> Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = std::io::pipe()?;
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES as i32)).context("F_SETPIPE_SZ")?;
    Ok((reader, writer))
}

fn drain(mut pipe: impl Read, hold: Duration) {
    let mut buffer = [0; PIPE_BYTES];
    while pipe.read(&mut buffer).is_ok_and(|length| length > 0) {
        std::thread::sleep(hold);
    }
}

pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            cpu::precise_sleeps();
            body();
        })
        .map(drop)
        .context("cannot start a thread")
}
