//! A session that moves: its threads read it in turn, and each hands it on after some messages.

use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Result, anyhow};

use super::CrowdOptions;
use super::session::ClientSession;
use super::worker::{MessageWork, Worker};

/// The right to read, and what goes with it.
struct ReadToken {
    session: ClientSession,
    /// The venue has closed; threads that have not seen that yet.
    unaware: Option<usize>,
}

/// Every session gets threads of its own.
pub(super) fn run(options: &CrowdOptions, work: &MessageWork) -> Result<()> {
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for &venue in &options.venues {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..options.threads).map(|_| channel()).unzip();
            let first = ReadToken {
                session: ClientSession::log_on(venue, 1)?,
                unaware: None,
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

/// One thread: every turn it gets, until it has seen the end of the stream.
fn follow(
    options: &CrowdOptions,
    mine: &Receiver<ReadToken>,
    next: &Sender<ReadToken>,
    work: &MessageWork,
) -> Result<()> {
    let mut worker = Worker::of_this_thread(work)?;
    while let Ok(mut turn) = worker.rest(|| mine.recv())? {
        let mut read = 0;
        while turn.unaware.is_none() && read < options.turn {
            match worker.read(&mut turn.session)? {
                Some(messages) => read += messages,
                None => turn.unaware = Some(options.threads),
            }
        }
        let last = match &mut turn.unaware {
            None => false,
            Some(unaware) => {
                // Every thread looks once more: a receive call ends what it read in its last turn.
                if *unaware < options.threads {
                    worker.read(&mut turn.session)?;
                }
                *unaware -= 1;
                true
            }
        };
        if turn.unaware != Some(0) {
            // The next one ends early only when it failed, which it reports itself.
            let _gone = next.send(turn);
        }
        if last {
            break;
        }
    }
    worker.finish()
}
