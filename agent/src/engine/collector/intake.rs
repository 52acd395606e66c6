//! The way of an update from the sockets to the pipeline.

use super::{processes::FollowedProcesses, sampling::Samplers};
use crate::{
    attribution::Attribution,
    domain::{Moment, Update},
    host::Host,
    pipeline::{Publication, Sink as _},
    recording::Recorder,
};

/// What an update of the sockets passes before it is published: the selectors, the samplers and
/// the charges.
pub(super) struct Intake<'a, 'p> {
    pub(super) processes: &'a mut FollowedProcesses,
    pub(super) samplers: &'a mut Samplers,
    pub(super) attribution: &'a mut Attribution,
    pub(super) host: &'a mut Host,
    /// The instant of publication.
    pub(super) now: Moment,
    pub(super) publication: &'a mut Publication<'p, Recorder>,
}

impl Intake<'_, '_> {
    /// Publishes an update with its charges, unless its process is excluded.
    pub(super) fn publish(&mut self, update: Update) {
        if self.processes.admits(&update, self.host) {
            self.samplers.forget_ended(&update);
            let (now, publication) = (self.now, &mut *self.publication);
            self.attribution
                .attribute(update, self.host, &mut |update| {
                    publication.publish(now, update);
                });
        }
    }
}
