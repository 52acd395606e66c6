//! `victims crowd`: a process whose threads together read many sessions.
//!
//! The experiment is which thread reads which session: its own sessions, in turns, or whichever
//! thread is free. The logs are those of the victim, one file per connection and reading thread,
//! and one per thread with its marks and usage.

mod own;
mod pool;
mod session;
mod turns;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cpu;
use crate::victim::VictimLog;

/// Which threads read a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReaderModel {
    /// one thread, which waits for all its sessions with epoll_wait(2)
    Epoll,
    /// one thread, which waits for all its sessions with poll(2)
    Poll,
    /// all threads in turn: each passes the session on after some messages
    Turns,
    /// any thread of a pool: all wait on one epoll instance
    Pool,
}

/// The options of `victims crowd`.
#[derive(Clone, Debug, clap::Args)]
pub struct CrowdOptions {
    /// The venues' ports on 127.0.0.1, one for each session.
    #[arg(long, value_delimiter = ',', required = true)]
    pub venues: Vec<u16>,
    /// The folder for the logs.
    #[arg(long)]
    pub folder: PathBuf,
    /// Threads of the process; with `turns`, threads of each session.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Which threads read a session.
    #[arg(long, default_value = "epoll")]
    pub readers: ReaderModel,
    /// `turns`: messages after which the session is passed on.
    #[arg(long, default_value_t = 50)]
    pub turn: u64,
    /// Connections per session, one after the other.
    #[arg(long, default_value_t = 1)]
    pub connections: u32,
    /// CPU time used per message, microseconds.
    #[arg(long, default_value_t = 0)]
    pub work_us: u64,
    /// How long another thread holds the mutex that every message takes, microseconds; 0: no mutex.
    #[arg(long, default_value_t = 0)]
    pub hold_us: u64,
    /// How long that mutex is free in between, microseconds.
    #[arg(long, default_value_t = 1000)]
    pub gap_us: u64,
}

/// Reads the sessions until their venues have closed the last connection of each.
pub fn run(options: &CrowdOptions) -> Result<()> {
    let lock = (options.hold_us > 0).then(|| rival(options)).transpose()?;
    let work = worker::MessageWork::new(options, lock);
    match options.readers {
        ReaderModel::Epoll | ReaderModel::Poll => own::run(options, &work),
        ReaderModel::Turns => turns::run(options, &work),
        ReaderModel::Pool => pool::run(options, &work),
    }
}

/// Starts a thread that holds a mutex most of the time, and returns the mutex.
fn rival(options: &CrowdOptions) -> Result<Arc<Mutex<u64>>> {
    let lock = Arc::new(Mutex::new(0));
    let held = Arc::clone(&lock);
    let hold = Duration::from_micros(options.hold_us);
    let gap = Duration::from_micros(options.gap_us);
    let body = move || {
        cpu::precise_sleeps();
        loop {
            if let Ok(mut holds) = held.lock() {
                *holds += 1;
                std::thread::sleep(hold);
            }
            std::thread::sleep(gap);
        }
    };
    std::thread::Builder::new()
        .name("rival".into())
        .spawn(body)?;
    Ok(lock)
}

/// The log of one thread's reads of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionLog {
    /// The venue's port.
    pub venue: u16,
    /// Our port.
    pub local: u16,
    /// The thread that read.
    pub tid: i32,
    /// One record per message, administrative ones included.
    pub log: VictimLog,
}

impl ConnectionLog {
    fn write(&self, folder: &Path) -> Result<()> {
        let name = format!("{}.{}.{}", self.venue, self.local, self.tid);
        self.log.write(&folder.join(name))
    }
}

/// All logs of a crowd.
#[derive(Clone, Debug, Default)]
pub struct CrowdLog {
    /// The reads, by connection and thread.
    pub parts: Vec<ConnectionLog>,
    /// The marks and usage of each thread, by tid.
    pub threads: Vec<(i32, VictimLog)>,
}

impl CrowdLog {
    /// Reads the logs from a crowd's folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut all = Self::default();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let numbers: Vec<i32> = name
                .split('.')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .with_context(|| format!("unexpected file among a crowd's logs: {name}"))?;
            let log = VictimLog::read(&entry.path())?;
            match numbers[..] {
                [tid] => all.threads.push((tid, log)),
                [venue, local, tid] => all.parts.push(ConnectionLog {
                    venue: u16::try_from(venue)?,
                    local: u16::try_from(local)?,
                    tid,
                    log,
                }),
                _ => anyhow::bail!("unexpected file among a crowd's logs: {name}"),
            }
        }
        Ok(all)
    }
}
