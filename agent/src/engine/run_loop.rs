//! The run loop: what is done when.

use std::{io, num::NonZeroU32, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{clock_watch::ClockWatch, collector::Collector};
use crate::{
    outputs::{Heartbeat, OutputError, top::Screen},
    readiness::readiness,
    signals::StopSignals,
};

/// How often the ring buffer is drained without a wake-up: the probes wake the agent only when much
/// is waiting.
const DRAIN_EVERY: Duration = Duration::from_millis(50);

/// How often what waits on the sockets is sampled: four times a second at the least, also where the
/// loop is late.
const SAMPLE_SOCKETS_EVERY: Duration = Duration::from_millis(200);

/// How often the holders of locks are sampled, while somebody waits. No multiple of CPython's switch
/// interval (5 ms), so that samples fall into every phase of it.
const SAMPLE_EVERY: Duration = Duration::from_millis(7);

/// How often the heart beats when there is nothing left to watch.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// A signal came, or the live view was left.
    Requested,
    /// The last process has ended.
    LastProcess,
    /// A session is stalled, which is to end the run.
    Stalled,
}

/// What the loop waits for.
pub(super) struct RunLoop<'a> {
    pub(super) signals: &'a mut StopSignals,
    pub(super) exits: &'a mut mpsc::Receiver<NonZeroU32>,
    pub(super) clock_watch: &'a ClockWatch,
    pub(super) heartbeat: &'a Heartbeat,
    /// Time between two lines per session.
    pub(super) interval: Duration,
    /// Whether a stalled session ends the run.
    pub(super) ends_when_stalled: bool,
    /// The live view, if there is one.
    pub(super) view: Option<LiveScreen<'a>>,
}

/// The live view of a run.
pub(super) struct LiveScreen<'a> {
    pub(super) screen: &'a mut Screen,
    pub(super) watched: &'a str,
    /// For tests.
    #[cfg(feature = "fault-injection")]
    pub(super) panics: bool,
}

impl RunLoop<'_> {
    /// Runs until the last process has ended, a signal comes, the live view is left or nobody reads
    /// the output.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub(super) async fn run(mut self, collector: &mut Collector) -> Result<RunEnd, OutputError> {
        let io = |e: io::Error| OutputError::Failed(e);
        let ring = readiness(collector.ring_fd()?).map_err(io)?;
        let mut drain = ticks(DRAIN_EVERY);
        let mut sample = ticks(SAMPLE_EVERY);
        let mut sample_sockets = ticks(SAMPLE_SOCKETS_EVERY);
        let mut interval = ticks(self.interval);
        // The first tick comes at once.
        interval.tick().await;
        loop {
            tokio::select! {
                biased;
                () = self.signals.any() => return Ok(RunEnd::Requested),
                () = left(&mut self.view) => return Ok(RunEnd::Requested),
                () = self.clock_watch.set() => collector.clock_set(),
                woken = ring.readable() => {
                    if let Ok(mut guard) = woken {
                        guard.clear_ready();
                    }
                    collector.drain()?;
                }
                _ = drain.tick() => {
                    collector.drain()?;
                    collector.sample_starving_readers();
                    collector.follow_discovered();
                    collector.publish_new_processes();
                    collector.find_waiters();
                }
                _ = sample.tick(), if collector.has_waiters() => collector.sample_holders(),
                _ = sample_sockets.tick() => {
                    collector.sample_sockets()?;
                    if self.ends_when_stalled && collector.is_any_stalled() {
                        // Its line says why.
                        collector.end_interval()?;
                        return Ok(RunEnd::Stalled);
                    }
                }
                _ = interval.tick() => {
                    collector.drain()?;
                    collector.sample_sockets()?;
                    collector.end_interval()?;
                    if let Some(view) = &mut self.view {
                        view.show(collector);
                    }
                }
                exited = self.exits.recv() => {
                    let Some(pid) = exited else {
                        return Ok(RunEnd::LastProcess);
                    };
                    // What it did last is in the ring buffer.
                    collector.drain()?;
                    collector.process_exited(pid);
                }
            }
            self.heartbeat.beat();
        }
    }
}

impl LiveScreen<'_> {
    /// Shows the model as it is now, unless the last view is too fresh.
    fn show(&mut self, collector: &Collector) {
        if self.screen.is_due() {
            self.screen.show(collector.view(self.watched));
        }
        #[cfg(feature = "fault-injection")]
        assert!(!self.panics, "a panic was asked for");
    }
}

/// Ticks that are late are not made up for.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Ends when the live view is left; never without one.
async fn left(view: &mut Option<LiveScreen<'_>>) {
    match view {
        Some(view) => view.screen.left().await,
        None => std::future::pending().await,
    }
}

/// Keeps the last view until it is left or a signal comes.
pub(super) async fn stay(screen: &mut Screen, signals: &mut StopSignals, heartbeat: &Heartbeat) {
    let mut alive = interval(HEARTBEAT_EVERY);
    loop {
        tokio::select! {
            () = signals.any() => return,
            () = screen.left() => return,
            _ = alive.tick() => heartbeat.beat(),
        }
    }
}
