//! The live view beside the run loop.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};

use crate::outputs::top::{FRAME, Window};

use super::collector::Collector;

/// How long the window may take to close: a terminal that takes no output must not hold up the end.
const GRACE: Duration = Duration::from_secs(2);

/// The window and when it was last given a view.
pub(super) struct Screen {
    window: Window,
    watched: String,
    given: Option<Instant>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open(watched: String) -> io::Result<Self> {
        let window = Window::open(&watched)?;
        Ok(Self {
            window,
            watched,
            given: None,
        })
    }

    /// Shows what the model holds now, unless the view before is too fresh.
    pub(super) fn show(&mut self, collector: &Collector) {
        if self.given.is_none_or(|given| given.elapsed() >= FRAME) {
            self.given = Some(Instant::now());
            self.window.show(collector.view(&self.watched));
        }
    }

    /// Until it is left, or cannot go on.
    pub(super) async fn left(&mut self) {
        self.window.left().await;
    }

    /// Shows the last view until it is left or a signal comes.
    pub(super) async fn stay(&mut self, collector: &Collector) -> io::Result<()> {
        let mut view = collector.view(&self.watched);
        view.ended = true;
        self.window.show(view);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = self.window.left() => {}
        }
        Ok(())
    }

    /// Gives the terminal back.
    pub(super) async fn close(self) -> io::Result<()> {
        self.window.close(GRACE).await
    }
}
