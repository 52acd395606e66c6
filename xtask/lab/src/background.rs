//! Threads that run until they are stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};

/// A running thread with a stop flag. Dropping it stops the thread and waits for its end.
#[derive(Debug)]
pub(crate) struct Background<T> {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<T>>,
    name: &'static str,
}

impl<T: Send + 'static> Background<T> {
    /// Starts a thread; `body` must return soon after its flag is set.
    pub(crate) fn spawn(
        name: &'static str,
        body: impl FnOnce(&AtomicBool) -> T + Send + 'static,
    ) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || body(&stopped))
            .with_context(|| format!("cannot start the thread of the {name}"))?;
        Ok(Self {
            stop,
            thread: Some(thread),
            name,
        })
    }

    /// Stops the thread and returns its result.
    pub(crate) fn stop(mut self) -> Result<T> {
        let joined = self.end();
        joined.with_context(|| format!("the {}'s thread panicked", self.name))
    }
}

impl<T> Background<T> {
    fn end(&mut self) -> Option<T> {
        self.stop.store(true, Ordering::Release);
        self.thread.take()?.join().ok()
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.end();
    }
}
