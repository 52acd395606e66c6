//! The one place in which an input goes to everybody.

use crate::{
    domain::{Input, Moment},
    model::Model,
    outputs::{OutputError, Outputs},
    recording::Recorder,
};

/// Tells inputs, all at one moment, to the model, the outputs and the recording.
pub(super) struct Tell<'a> {
    now: Moment,
    model: &'a mut Model,
    outputs: &'a mut Outputs,
    recorder: Option<&'a mut Recorder>,
    told: Result<(), OutputError>,
}

impl<'a> Tell<'a> {
    pub(super) const fn new(
        now: Moment,
        model: &'a mut Model,
        outputs: &'a mut Outputs,
        recorder: Option<&'a mut Recorder>,
    ) -> Self {
        Self {
            now,
            model,
            outputs,
            recorder,
            told: Ok(()),
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        self.model.take(self.now, &input);
        if let Input::Message(message) = &input
            && self.told.is_ok()
        {
            self.told = self.outputs.message(message);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.input(self.now, input);
        }
    }

    /// Whether the outputs could be written.
    pub(super) fn told(self) -> Result<(), OutputError> {
        self.told
    }
}
