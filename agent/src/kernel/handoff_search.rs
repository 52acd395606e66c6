//! The search for the function named with `--handoff`, on a thread of its own.
//!
//! Every module is read and every name demangled, a hundred milliseconds of work and more: on the
//! run loop's thread nothing would take messages out of the ring meanwhile.

use std::{
    io,
    num::NonZeroU32,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use super::{FunctionLocation, FunctionSpec, ProbeError};

/// Where the function is in a process, or why it is not attached to.
type FoundFunction = (NonZeroU32, Result<FunctionLocation, ProbeError>);

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FunctionSearch {
    requests: Sender<NonZeroU32>,
    results: Receiver<FoundFunction>,
}

impl FunctionSearch {
    /// Starts the thread that searches for this function.
    ///
    /// # Errors
    /// When there is no room for a thread.
    pub(crate) fn start(function: FunctionSpec) -> io::Result<Self> {
        let (requests, requested) = channel();
        let (result, results) = channel();
        let search = move || {
            for pid in requested {
                if result.send((pid, function.find_alone(pid))).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new()
            .name("tag52-function".to_owned())
            .spawn(search)?;
        Ok(Self { requests, results })
    }

    /// Searches in this process, after those before; `false` when the thread has died.
    #[must_use]
    pub(crate) fn search_in(&self, pid: NonZeroU32) -> bool {
        self.requests.send(pid).is_ok()
    }

    /// The next result, in the order in which the searches were requested.
    #[must_use]
    pub(crate) fn next(&self) -> Option<FoundFunction> {
        self.results.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_process_gets_its_answer_in_turn() {
        let here = NonZeroU32::new(std::process::id()).expect("not zero");
        // No process has this number: it is above the kernel's limit.
        let absent = NonZeroU32::new(1 << 30).expect("not zero");
        let search = FunctionSearch::start("malloc".parse().expect("valid")).expect("a thread");
        assert!(search.next().is_none());
        for pid in [here, absent, here] {
            assert!(search.search_in(pid));
        }
        let next = || {
            let done = search.results.recv_timeout(Duration::from_secs(20));
            let (pid, found) = done.expect("in time");
            (pid, found.is_ok())
        };
        assert_eq!(
            [next(), next(), next()],
            [(here, true), (absent, false), (here, true)]
        );
    }
}
