//! The sink of a live run and of a replay.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    domain::{Moment, Sink, Update},
    model::{Model, Summary},
    outputs::{OutputError, OutputWriter},
};

/// A sink that keeps the updates of a run for later.
pub(crate) trait RecordingSink: Sink {
    /// Hands over what was published so far: a crash loses no more than what came later.
    fn flush(&mut self);

    /// Marks the end of the run.
    fn end(&mut self, at: Moment);
}

/// The recording of a run that is not recorded: there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NoRecording {}

impl Sink for NoRecording {
    fn publish(&mut self, _: Moment, _: Update) {
        match *self {}
    }
}

impl RecordingSink for NoRecording {
    fn flush(&mut self) {
        match *self {}
    }

    fn end(&mut self, _: Moment) {
        match *self {}
    }
}

/// The model, the lines on standard output and the recording, fed together.
#[derive(Debug)]
pub(crate) struct Publisher<R> {
    model: Arc<Mutex<Model>>,
    outputs: OutputWriter,
    recording: Option<R>,
    failed: Option<OutputError>,
}

/// A [`Publisher`] that holds the model's lock: cheaper for many updates in a row.
#[derive(Debug)]
pub(crate) struct Publication<'a, R> {
    model: MutexGuard<'a, Model>,
    outputs: &'a mut OutputWriter,
    recording: Option<&'a mut R>,
    failed: &'a mut Option<OutputError>,
}

impl<R: RecordingSink> Publisher<R> {
    /// Publishes to a model that others read, to standard output and, if there is one, to a
    /// recording.
    #[must_use]
    pub(crate) const fn new(
        model: Arc<Mutex<Model>>,
        outputs: OutputWriter,
        recording: Option<R>,
    ) -> Self {
        Self {
            model,
            outputs,
            recording,
            failed: None,
        }
    }

    /// The model that is fed.
    #[must_use]
    pub(crate) const fn model(&self) -> &Arc<Mutex<Model>> {
        &self.model
    }

    /// The model, locked. A thread that panicked with it left figures that are still the best
    /// there are.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a row of updates, which lasts until the returned value is dropped.
    pub(crate) fn begin(&mut self) -> Publication<'_, R> {
        Publication {
            model: self.model.lock().unwrap_or_else(PoisonError::into_inner),
            outputs: &mut self.outputs,
            recording: self.recording.as_mut(),
            failed: &mut self.failed,
        }
    }

    /// Whether standard output could be written since the last call. The model and the recording
    /// are complete all the same.
    ///
    /// # Errors
    /// The first [`OutputError`].
    pub(crate) fn check(&mut self) -> Result<(), OutputError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Hands what was published so far to the thread that writes the recording: a crash loses no
    /// more than what came later.
    pub(crate) fn flush_recording(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.flush();
        }
    }

    /// Publishes the interval under way if anything happened in it, so that the intervals add up
    /// to the summary, and returns that.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub(crate) fn end(&mut self, at: Moment) -> Result<Summary, OutputError> {
        self.check()?;
        if let Some(recording) = &mut self.recording {
            recording.end(at);
        }
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        self.outputs.rest(&mut model, at)
    }

    /// Writes the summary: the last that goes to standard output.
    ///
    /// # Errors
    /// [`OutputError`] when standard output could not be written.
    pub(crate) fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.outputs.finish(summary)
    }

    /// The recording, if there is one, to be closed: nothing more is recorded.
    pub(crate) const fn take_recording(&mut self) -> Option<R> {
        self.recording.take()
    }

    /// Publishes to a model of its own from now on: a replay that begins anew.
    pub(crate) fn reset(&mut self, model: Model) {
        *self.lock() = model;
    }
}

impl<R: RecordingSink> Sink for Publication<'_, R> {
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
        if let Some(recording) = &mut self.recording {
            recording.publish(at, update);
        }
    }
}
