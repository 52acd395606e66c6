//! Reports the exits of followed processes.

use std::{io, num::NonZeroU32};

use tokio::sync::mpsc;

use super::target::Target;
use crate::readiness::readiness;

/// Waits for the exits of processes, each by its own pidfd.
#[derive(Clone, Debug)]
pub(crate) struct ExitWatcher(mpsc::Sender<NonZeroU32>);

impl ExitWatcher {
    /// The watcher, and the channel that receives the pid of every process that exits. The channel
    /// closes once the watcher is dropped and all watched processes have exited.
    pub(crate) fn new() -> (Self, mpsc::Receiver<NonZeroU32>) {
        let (exits, receiver) = mpsc::channel(1);
        (Self(exits), receiver)
    }

    /// Reports the exit of this process from now on. Must be called inside of a runtime.
    ///
    /// # Errors
    /// When the pidfd cannot be registered with the runtime.
    pub(crate) fn watch(&self, target: Target) -> io::Result<()> {
        let (pid, exits) = (target.pid(), self.0.clone());
        let target = readiness(target)?;
        tokio::spawn(async move {
            // An error counts as an exit, too: the process cannot be watched any longer.
            let _exited = target.readable().await;
            // The receiver is gone when the run is over for another reason.
            let _closed = exits.send(pid).await;
        });
        Ok(())
    }
}
