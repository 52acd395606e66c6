//! Searching the files of processes in a background thread.
//!
//! The symbol tables of a large program take a hundred milliseconds. On the run loop's thread the
//! ring buffer would not be drained meanwhile.

use std::{
    collections::HashSet,
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread,
};

use super::{super::proc::ProcRoot, mapped_files::MappedFiles, process::SearchedProcess};

/// A pid, and its process; `None` when it has ended.
type SearchResult = (u32, Option<SearchedProcess>);

/// The searching thread; it is started with the first process.
#[derive(Debug)]
pub(super) struct BackgroundSearch {
    proc: ProcRoot,
    files: MappedFiles,
    thread: Option<(Sender<u32>, Receiver<SearchResult>)>,
    /// Processes without a result yet.
    pending: HashSet<u32>,
}

impl BackgroundSearch {
    pub(super) fn new(proc: ProcRoot, files: MappedFiles) -> Self {
        Self {
            proc,
            files,
            thread: None,
            pending: HashSet::new(),
        }
    }

    /// Requests the search of a process. When no thread can be started, the process is searched
    /// when its runtime is first needed.
    pub(super) fn request(&mut self, pid: u32) {
        if self.thread.is_none() {
            self.thread = start(self.proc.clone(), self.files.clone());
        }
        if let Some((requests, _)) = &self.thread
            && requests.send(pid).is_ok()
        {
            self.pending.insert(pid);
        }
    }

    /// The results so far. If the process `wanted` was requested, waits for its result, too.
    pub(super) fn take_results(&mut self, wanted: u32) -> Vec<(u32, SearchedProcess)> {
        let mut all = Vec::new();
        while !self.pending.is_empty()
            && let Some((_, results)) = &self.thread
        {
            let result = if self.pending.contains(&wanted) {
                results.recv().ok()
            } else {
                match results.try_recv() {
                    Ok(result) => Some(result),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => None,
                }
            };
            let Some((pid, process)) = result else {
                // The thread has panicked over a file.
                self.thread = None;
                self.pending.clear();
                break;
            };
            self.pending.remove(&pid);
            all.extend(process.map(|process| (pid, process)));
        }
        all
    }
}

/// Starts the thread; it ends when the sender of requests is dropped.
fn start(proc: ProcRoot, files: MappedFiles) -> Option<(Sender<u32>, Receiver<SearchResult>)> {
    let (requests, requested) = channel::<u32>();
    let (found, results) = channel();
    let search = move || {
        for pid in requested {
            let process = SearchedProcess::search(&proc, &files, pid);
            if found.send((pid, process)).is_err() {
                break;
            }
        }
    };
    let thread = thread::Builder::new().name("tag52-files".to_owned());
    thread.spawn(search).ok()?;
    Some((requests, results))
}
