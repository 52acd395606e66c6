//! Where the updates of a replay go, and when its intervals end.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::sleep;

use super::MAX_SLEEP;
use crate::{
    domain::{Moment, Update},
    model::{Model, Summary},
    outputs::{Heartbeat, MAX_SERIES, OutputError, OutputWriter, sessions_within},
    pipeline::{NoRecording, Publisher, Sink as _},
    recording::RecordingHeader,
};

/// The model and the outputs of a replay.
pub(super) struct Playback {
    publisher: Publisher<NoRecording>,
    heartbeat: Arc<Heartbeat>,
    /// The end of the interval under way and the length of an interval; `None` when intervals end
    /// where they were recorded.
    interval_end: Option<(Moment, Duration)>,
    interval: Option<Duration>,
    intervals: u64,
}

impl Playback {
    pub(super) fn new(
        header: &RecordingHeader,
        outputs: OutputWriter,
        interval: Option<Duration>,
    ) -> Self {
        let model = Arc::new(Mutex::new(Model::new(header.from)));
        let mut playback = Self {
            publisher: Publisher::new(model, outputs, None),
            heartbeat: Arc::default(),
            interval,
            interval_end: None,
            intervals: 0,
        };
        playback.begin(header);
        playback
    }

    /// Begins with an empty model: nothing was published yet.
    pub(super) fn begin(&mut self, header: &RecordingHeader) {
        let mut model = Model::new(header.from);
        model.set_max_latency(header.max_latency);
        model.set_max_series(sessions_within(MAX_SERIES).unwrap_or(1));
        self.publisher.reset(model);
        self.interval_end = self
            .interval
            .map(|length| (later(header.from, length), length));
        self.intervals = 0;
    }

    pub(super) const fn model(&self) -> &Arc<Mutex<Model>> {
        self.publisher.model()
    }

    pub(super) const fn heartbeat(&self) -> &Arc<Heartbeat> {
        &self.heartbeat
    }

    /// Intervals that have ended since the beginning.
    pub(super) const fn intervals(&self) -> u64 {
        self.intervals
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Model> {
        self.publisher.lock()
    }

    /// Publishes a recorded update.
    pub(super) fn publish(&mut self, now: Moment, update: Update) -> Result<(), OutputError> {
        self.end_due_intervals(now);
        match update {
            Update::IntervalEnded if self.interval_end.is_some() => {}
            Update::IntervalEnded => self.end_interval(now),
            update => self.publisher.begin().publish(now, update),
        }
        self.publisher.check()
    }

    /// Ends the intervals of the given length that end until `now`.
    fn end_due_intervals(&mut self, now: Moment) {
        while let Some((end, length)) = self.interval_end
            && now.monotonic_ns >= end.monotonic_ns
        {
            // In UTC by the moment of the next update: the wall clock may have been set meanwhile.
            let ahead = now.monotonic_ns - end.monotonic_ns;
            let utc_ns = now.utc_ns.saturating_sub_unsigned(ahead);
            self.end_interval(Moment { utc_ns, ..end });
            self.interval_end = Some((later(end, length), length));
        }
    }

    fn end_interval(&mut self, now: Moment) {
        self.intervals += 1;
        self.publisher.begin().publish(now, Update::IntervalEnded);
    }

    /// Publishes the interval under way at the end of the recording, and returns the summary.
    pub(super) fn end(&mut self, now: Moment) -> Result<Summary, OutputError> {
        self.end_due_intervals(now);
        self.publisher.end(now)
    }

    /// Writes the summary of the whole recording.
    pub(super) fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.publisher.finish(summary)
    }

    /// Beats the heart for ever.
    pub(super) async fn stay_alive(&self) {
        loop {
            self.heartbeat.beat();
            sleep(MAX_SLEEP).await;
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
