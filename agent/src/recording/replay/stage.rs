//! The model of a replay, and when its intervals end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::sleep;

use super::NAP;
use crate::{
    domain::{Input, Moment},
    model::{Model, Summary},
    outputs::{Heartbeat, MAX_SERIES, OutputError, Outputs, sessions_within},
    recording::{Header, Told},
};

/// What is told, and when intervals end.
pub(super) struct Stage {
    model: Arc<Mutex<Model>>,
    outputs: Outputs,
    heartbeat: Arc<Heartbeat>,
    /// The next interval's end; `None` when intervals end where they did.
    due: Option<(Moment, Duration)>,
    every: Option<Duration>,
    intervals: u64,
}

impl Stage {
    pub(super) fn new(header: &Header, outputs: Outputs, every: Option<Duration>) -> Self {
        let mut stage = Self {
            model: Arc::new(Mutex::new(Model::new(header.from))),
            outputs,
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
        model.set_most_series(sessions_within(MAX_SERIES).unwrap_or(1));
        *self.lock() = model;
        self.due = self.every.map(|every| (later(header.from, every), every));
        self.intervals = 0;
    }

    pub(super) const fn model(&self) -> &Arc<Mutex<Model>> {
        &self.model
    }

    pub(super) const fn heartbeat(&self) -> &Arc<Heartbeat> {
        &self.heartbeat
    }

    /// Intervals taken since the beginning.
    pub(super) const fn intervals(&self) -> u64 {
        self.intervals
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn told(&mut self, now: Moment, told: Told) -> Result<(), OutputError> {
        self.take_due(now)?;
        match told {
            Told::Input(input) => {
                self.lock().take(now, &input);
                match &input {
                    Input::Message(message) => self.outputs.message(message),
                    _ => Ok(()),
                }
            }
            Told::Interval if self.due.is_none() => self.interval(now),
            Told::Interval => Ok(()),
        }
    }

    /// Those that end until `now`.
    fn take_due(&mut self, now: Moment) -> Result<(), OutputError> {
        while let Some((due, every)) = self.due
            && now.monotonic_ns >= due.monotonic_ns
        {
            // By the clock of what comes next: it may have been set meanwhile.
            let ahead = now.monotonic_ns - due.monotonic_ns;
            let utc_ns = now.utc_ns.saturating_sub_unsigned(ahead);
            self.interval(Moment { utc_ns, ..due })?;
            self.due = Some((later(due, every), every));
        }
        Ok(())
    }

    fn interval(&mut self, now: Moment) -> Result<(), OutputError> {
        self.intervals += 1;
        let interval = self.lock().take_interval(now);
        self.outputs.interval(&interval)
    }

    /// Tells of what is left at the end; gives what is to be told then.
    pub(super) fn rest(&mut self, now: Moment) -> Result<Summary, OutputError> {
        self.take_due(now)?;
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        self.outputs.rest(&mut model, now)
    }

    /// Tells of the whole recording.
    pub(super) fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.outputs.finish(summary)
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
