//! Every thread has its own sessions and waits for all of them at once.

use std::os::fd::AsFd as _;

use anyhow::{Result, anyhow};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::session::ClientSession;
use super::worker::{MessageWork, Worker};
use super::{CrowdOptions, ReaderModel};

/// Distributes the sessions over the threads, round robin.
pub(super) fn run(options: &CrowdOptions, work: &MessageWork) -> Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads)
            .map(|thread| {
                let venues = options.venues.iter().skip(thread).step_by(options.threads);
                let venues: Vec<u16> = venues.copied().collect();
                scope.spawn(move || follow(options, &venues, work))
            })
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow!("a thread of the crowd panicked"))??;
        }
        Ok(())
    })
}

/// Runs one thread, from its first connection to the end of its last.
fn follow(options: &CrowdOptions, venues: &[u16], work: &MessageWork) -> Result<()> {
    let mut worker = Worker::of_this_thread(work)?;
    let mut waiter = match options.readers {
        ReaderModel::Poll => Waiter::Poll,
        _ => Waiter::Epoll(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?),
    };
    let mut sessions = Vec::new();
    for (slot, &venue) in venues.iter().enumerate() {
        let session = ClientSession::log_on(venue, 1)?;
        waiter.add(slot, &session)?;
        sessions.push(Some(session));
    }
    while sessions.iter().any(Option::is_some) {
        for slot in worker.wait(|| waiter.ready(&sessions))? {
            let Some(session) = &mut sessions[slot] else {
                continue;
            };
            if worker.read(session)?.is_some() {
                continue;
            }
            let (venue, connection) = (session.venue, session.connection);
            // Closing removes it from the epoll instance.
            sessions[slot] = None;
            if connection < options.connections {
                let session = ClientSession::log_on(venue, connection + 1)?;
                waiter.add(slot, &session)?;
                sessions[slot] = Some(session);
            }
        }
    }
    worker.finish()
}

enum Waiter {
    Epoll(Epoll),
    Poll,
}

impl Waiter {
    fn add(&mut self, slot: usize, session: &ClientSession) -> Result<()> {
        if let Self::Epoll(epoll) = self {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, slot as u64);
            epoll.add(&session.stream, event)?;
        }
        Ok(())
    }

    /// Waits until some sessions are readable and returns their slots.
    fn ready(&self, sessions: &[Option<ClientSession>]) -> Result<Vec<usize>> {
        match self {
            Self::Epoll(epoll) => {
                let mut events = [EpollEvent::empty(); 64];
                let count = match epoll.wait(&mut events, EpollTimeout::NONE) {
                    Ok(count) => count,
                    Err(Errno::EINTR) => 0,
                    Err(error) => return Err(error.into()),
                };
                Ok(events[..count]
                    .iter()
                    .map(|event| event.data() as usize)
                    .collect())
            }
            Self::Poll => {
                let open = || (0..sessions.len()).filter_map(|i| Some((i, sessions[i].as_ref()?)));
                let mut fds: Vec<PollFd<'_>> = open()
                    .map(|(_, session)| PollFd::new(session.stream.as_fd(), PollFlags::POLLIN))
                    .collect();
                match poll(&mut fds, PollTimeout::NONE) {
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
                let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
                let slots = open().map(|(slot, _)| slot);
                let both = slots.zip(&fds).filter(|(_, fd)| ready(fd));
                Ok(both.map(|(slot, _)| slot).collect())
            }
        }
    }
}
