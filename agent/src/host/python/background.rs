//! Looking through the files of processes on a thread of its own.
//!
//! A large program's tables take a hundred milliseconds; on the run loop's thread nothing would
//! take messages out of the ring meanwhile.

use std::{
    collections::HashSet,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use super::{super::proc::Proc, mapped_files::Files, runtimes::Known};

/// What was found out about a process; nothing when it has ended.
type Done = (u32, Option<Known>);

/// The thread, from the first process on.
#[derive(Debug)]
pub(super) struct Ahead {
    proc: Proc,
    files: Files,
    thread: Option<(Sender<u32>, Receiver<Done>)>,
    /// Asked for, and not done.
    pending: HashSet<u32>,
}

impl Ahead {
    pub(super) fn new(proc: Proc, files: Files) -> Self {
        Self {
            proc,
            files,
            thread: None,
            pending: HashSet::new(),
        }
    }

    /// Asks for a process. Without a thread it is looked at when somebody wants to know.
    pub(super) fn look(&mut self, pid: u32) {
        if self.thread.is_none() {
            self.thread = start(self.proc.clone(), self.files.clone());
        }
        if let Some((asked, _)) = &self.thread
            && asked.send(pid).is_ok()
        {
            self.pending.insert(pid);
        }
    }

    /// What is done by now, and in any case this process, if it was asked for.
    pub(super) fn done(&mut self, wanted: u32) -> Vec<(u32, Known)> {
        let mut all = Vec::new();
        while !self.pending.is_empty()
            && let Some((_, answers)) = &self.thread
        {
            let done = if self.pending.contains(&wanted) {
                answers.recv().ok()
            } else {
                match answers.try_recv() {
                    Ok(done) => Some(done),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => None,
                }
            };
            let Some((pid, known)) = done else {
                // It has died: a file was too much for it.
                self.thread = None;
                self.pending.clear();
                break;
            };
            self.pending.remove(&pid);
            all.extend(known.map(|known| (pid, known)));
        }
        all
    }
}

/// Ends when nobody can ask it any more.
fn start(proc: Proc, files: Files) -> Option<(Sender<u32>, Receiver<Done>)> {
    let (ask, asked) = channel::<u32>();
    let (answer, answers) = channel();
    let looks = move || {
        for pid in asked {
            let known = Known::find(&proc, &files, pid);
            if answer.send((pid, known)).is_err() {
                break;
            }
        }
    };
    let thread = thread::Builder::new().name("tag52-files".to_owned());
    thread.spawn(looks).ok()?;
    Some((ask, answers))
}
