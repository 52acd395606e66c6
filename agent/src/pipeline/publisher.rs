//! The sink of a live run and of a replay.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Sink;
use crate::{
    domain::{Moment, Update},
    model::{Model, Summary},
    outputs::{OutputError, OutputWriter},
    recording::{Recorder, WriteError, Written},
};

/// The model, the lines on standard output and the recording, fed together.
#[derive(Debug)]
pub struct Publisher {
    model: Arc<Mutex<Model>>,
    outputs: OutputWriter,
    recorder: Option<Recorder>,
    failed: Option<OutputError>,
}

/// A [`Publisher`] that holds the model's lock: cheaper for many updates in a row.
#[derive(Debug)]
pub struct Publication<'a> {
    model: MutexGuard<'a, Model>,
    outputs: &'a mut OutputWriter,
    recorder: Option<&'a mut Recorder>,
    failed: &'a mut Option<OutputError>,
}

impl Publisher {
    /// Publishes to a model that others read, to standard output and, if there is one, to a
    /// recording.
    #[must_use]
    pub const fn new(
        model: Arc<Mutex<Model>>,
        outputs: OutputWriter,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            model,
            outputs,
            recorder,
            failed: None,
        }
    }

    /// The model that is fed.
    #[must_use]
    pub const fn model(&self) -> &Arc<Mutex<Model>> {
        &self.model
    }

    /// The model, locked. A thread that panicked with it left figures that are still the best
    /// there are.
    pub fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a row of updates, which lasts until the returned value is dropped.
    pub fn begin(&mut self) -> Publication<'_> {
        Publication {
            model: self.model.lock().unwrap_or_else(PoisonError::into_inner),
            outputs: &mut self.outputs,
            recorder: self.recorder.as_mut(),
            failed: &mut self.failed,
        }
    }

    /// Whether standard output could be written since the last call. The model and the recording
    /// are complete all the same.
    ///
    /// # Errors
    /// The first [`OutputError`].
    pub fn check(&mut self) -> Result<(), OutputError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Hands what was published so far to the thread that writes the recording: a crash loses no
    /// more than what came later.
    pub fn flush_recording(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.hand_over();
        }
    }

    /// Publishes the interval under way if anything happened in it, so that the intervals add up
    /// to the summary, and returns that.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub fn end(&mut self, at: Moment) -> Result<Summary, OutputError> {
        self.check()?;
        if let Some(recorder) = &mut self.recorder {
            recorder.end(at);
        }
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        self.outputs.rest(&mut model, at)
    }

    /// Writes the summary: the last that goes to standard output.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.outputs.finish(summary)
    }

    /// Ends the recording, if there is one, and waits until it is written.
    pub fn close_recording(&mut self) -> Option<Result<Written, WriteError>> {
        self.recorder.take().map(Recorder::close)
    }

    /// Publishes to a model of its own from now on: a replay that begins anew.
    pub fn reset(&mut self, model: Model) {
        *self.lock() = model;
    }
}

impl Sink for Publication<'_> {
    fn publish(&mut self, at: Moment, update: Update) {
        let result = match &update {
            Update::IntervalEnded => {
                let interval = self.model.take_interval(at);
                self.outputs.interval(&interval)
            }
            update => {
                self.model.apply(at, update);
                match update {
                    Update::Message(message) if self.failed.is_none() => {
                        self.outputs.message(message)
                    }
                    _ => Ok(()),
                }
            }
        };
        if self.failed.is_none() {
            *self.failed = result.err();
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.record(at, update);
        }
    }
}
