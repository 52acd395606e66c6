//! The model of a replay, and when its intervals end.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::sleep;

use super::NAP;
use crate::{
    domain::{Moment, Update},
    model::{Model, Summary},
    outputs::{Heartbeat, MAX_SERIES, OutputError, OutputWriter, sessions_within},
    pipeline::{NoRecording, Publisher, Sink as _},
    recording::Header,
};

/// What is told, and when intervals end.
pub(super) struct Stage {
    publisher: Publisher<NoRecording>,
    heartbeat: Arc<Heartbeat>,
    /// The next interval's end; `None` when intervals end where they did.
    due: Option<(Moment, Duration)>,
    every: Option<Duration>,
    intervals: u64,
}

impl Stage {
    pub(super) fn new(header: &Header, outputs: OutputWriter, every: Option<Duration>) -> Self {
        let model = Arc::new(Mutex::new(Model::new(header.from)));
        let mut stage = Self {
            publisher: Publisher::new(model, outputs, None),
            heartbeat: Arc::default(),
            every,
            due: None,
            intervals: 0,
        };
        stage.begin(header);
        stage
    }

    /// Begins anew: nothing was told yet.
    pub(super) fn begin(&mut self, header: &Header) {
        let mut model = Model::new(header.from);
        model.set_max_latency(header.max_latency);
        model.set_max_series(sessions_within(MAX_SERIES).unwrap_or(1));
        self.publisher.reset(model);
        self.due = self.every.map(|every| (later(header.from, every), every));
        self.intervals = 0;
    }

    pub(super) const fn model(&self) -> &Arc<Mutex<Model>> {
        self.publisher.model()
    }

    pub(super) const fn heartbeat(&self) -> &Arc<Heartbeat> {
        &self.heartbeat
    }

    /// Intervals taken since the beginning.
    pub(super) const fn intervals(&self) -> u64 {
        self.intervals
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Model> {
        self.publisher.lock()
    }

    /// Publishes what was recorded.
    pub(super) fn publish(&mut self, now: Moment, update: Update) -> Result<(), OutputError> {
        self.take_due(now);
        match update {
            Update::IntervalEnded if self.due.is_some() => {}
            Update::IntervalEnded => self.end_interval(now),
            update => self.publisher.begin().publish(now, update),
        }
        self.publisher.check()
    }

    /// Those that end until `now`.
    fn take_due(&mut self, now: Moment) {
        while let Some((due, every)) = self.due
            && now.monotonic_ns >= due.monotonic_ns
        {
            // By the clock of what comes next: it may have been set meanwhile.
            let ahead = now.monotonic_ns - due.monotonic_ns;
            let utc_ns = now.utc_ns.saturating_sub_unsigned(ahead);
            self.end_interval(Moment { utc_ns, ..due });
            self.due = Some((later(due, every), every));
        }
    }

    fn end_interval(&mut self, now: Moment) {
        self.intervals += 1;
        self.publisher.begin().publish(now, Update::IntervalEnded);
    }

    /// Publishes the interval under way at the end of the recording, and returns the summary.
    pub(super) fn rest(&mut self, now: Moment) -> Result<Summary, OutputError> {
        self.take_due(now);
        self.publisher.end(now)
    }

    /// Writes the summary of the whole recording.
    pub(super) fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.publisher.finish(summary)
    }

    pub(super) async fn stay_alive(&self) {
        loop {
            self.heartbeat.beat();
            sleep(NAP).await;
        }
    }
}

fn later(moment: Moment, by: Duration) -> Moment {
    let ns = by.as_nanos() as u64;
    Moment {
        monotonic_ns: moment.monotonic_ns.saturating_add(ns),
        utc_ns: moment.utc_ns.saturating_add_unsigned(ns),
    }
}
