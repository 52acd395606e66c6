//! Threads that read a session in turn: each passes it on after some messages.

use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Result, anyhow};

use super::CrowdOptions;
use super::session::ClientSession;
use super::worker::{MessageWork, Worker};

/// The right to read a session; it moves from thread to thread.
struct ReadToken {
    session: ClientSession,
    /// Once the venue has closed: the threads that have not read the end of the stream yet.
    remaining: Option<usize>,
}

/// Starts threads for every session.
pub(super) fn run(options: &CrowdOptions, work: &MessageWork) -> Result<()> {
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for &venue in &options.venues {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..options.threads).map(|_| channel()).unzip();
            let first = ReadToken {
                session: ClientSession::log_on(venue, 1)?,
                remaining: None,
            };
            let _waits_here = senders.first().map(|sender| sender.send(first));
            for (thread, mine) in receivers.into_iter().enumerate() {
                let next = senders[(thread + 1) % senders.len()].clone();
                threads.push(scope.spawn(move || follow(options, &mine, &next, work)));
            }
        }
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow!("a thread of the crowd panicked"))??;
        }
        Ok(())
    })
}

/// Runs one thread: it reads in each of its turns, until the end of the stream.
fn follow(
    options: &CrowdOptions,
    mine: &Receiver<ReadToken>,
    next: &Sender<ReadToken>,
    work: &MessageWork,
) -> Result<()> {
    let mut worker = Worker::of_this_thread(work)?;
    while let Ok(mut turn) = worker.rest(|| mine.recv())? {
        let mut read = 0;
        while turn.remaining.is_none() && read < options.turn {
            match worker.read(&mut turn.session)? {
                Some(messages) => read += messages,
                None => turn.remaining = Some(options.threads),
            }
        }
        let last = match &mut turn.remaining {
            None => false,
            Some(remaining) => {
                // Every thread makes one more receive call: the hand-off of what it read last.
                if *remaining < options.threads {
                    worker.read(&mut turn.session)?;
                }
                *remaining -= 1;
                true
            }
        };
        if turn.remaining != Some(0) {
            // A thread that failed has ended early and reports that itself.
            let _ended = next.send(turn);
        }
        if last {
            break;
        }
    }
    worker.finish()
}
