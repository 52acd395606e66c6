//! Tells which processes have ended.

use std::num::NonZeroU32;

use tokio::sync::mpsc;

use crate::engine::{RunError, readiness};
use crate::targets::target::Target;

/// Waits for the end of processes, each by its own handle.
#[derive(Clone, Debug)]
pub(crate) struct Ends(mpsc::Sender<NonZeroU32>);

impl Ends {
    /// With what is told; closed once all that were followed have ended and this is gone.
    pub(crate) fn new() -> (Self, mpsc::Receiver<NonZeroU32>) {
        let (tell, told) = mpsc::channel(1);
        (Self(tell), told)
    }

    /// The end of this process, too, is to be told. Inside of a runtime.
    pub(crate) fn follow(&self, target: Target) -> Result<(), RunError> {
        let (pid, tell) = (target.pid(), self.0.clone());
        let target = readiness(target).map_err(RunError::Runtime)?;
        tokio::spawn(async move {
            let _ended = target.readable().await;
            // The run may be over for another reason.
            let _gone = tell.send(pid).await;
        });
        Ok(())
    }
}
