//! A pool: all threads wait on one epoll instance, and the one that is woken reads the session.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::CrowdOptions;
use super::session::ClientSession;
use super::worker::{MessageWork, Worker};

/// The interval at which a thread checks whether all sessions have ended, milliseconds.
const CHECK_MS: u16 = 200;

struct Pool {
    epoll: Epoll,
    sessions: Vec<Mutex<ClientSession>>,
    open: AtomicUsize,
}

pub(super) fn run(options: &CrowdOptions, work: &MessageWork) -> Result<()> {
    let pool = Pool {
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        open: AtomicUsize::new(options.venues.len()),
        sessions: options
            .venues
            .iter()
            .map(|&venue| ClientSession::log_on(venue, 1).map(Mutex::new))
            .collect::<Result<_>>()?,
    };
    for (slot, session) in pool.sessions.iter().enumerate() {
        let session = session
            .lock()
            .map_err(|_| anyhow!("a lock that no thread has taken is poisoned"))?;
        pool.epoll.add(&session.stream, armed(slot))?;
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads)
            .map(|_| scope.spawn(|| pool.follow(work)))
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow!("a thread of the crowd panicked"))??;
        }
        Ok(())
    })
}

/// Returns an event that wakes one thread at a time for a session.
fn armed(slot: usize) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, slot as u64)
}

impl Pool {
    fn follow(&self, work: &MessageWork) -> Result<()> {
        let mut worker = Worker::of_this_thread(work)?;
        loop {
            // The loop ends only after a wait, which is the hand-off of what was read last.
            let Some(slot) = worker.wait(|| self.ready())? else {
                if self.open.load(Ordering::Acquire) > 0 {
                    continue;
                }
                break;
            };
            let mut session = self.sessions[slot]
                .lock()
                .map_err(|_| anyhow!("another thread panicked"))?;
            if worker.read(&mut session)?.is_some() {
                self.epoll.modify(&session.stream, &mut armed(slot))?;
            } else {
                self.open.fetch_sub(1, Ordering::Release);
            }
        }
        worker.finish()
    }

    /// Waits for a readable session; `None` after [`CHECK_MS`] without one.
    fn ready(&self) -> Result<Option<usize>> {
        let mut events = [EpollEvent::empty()];
        match self.epoll.wait(&mut events, EpollTimeout::from(CHECK_MS)) {
            Ok(0) | Err(Errno::EINTR) => Ok(None),
            Ok(_) => Ok(Some(events[0].data() as usize)),
            Err(error) => Err(error.into()),
        }
    }
}
