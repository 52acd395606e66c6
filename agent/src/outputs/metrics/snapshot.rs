//! The model's figures at one moment, and their way to a format.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    families::{FAMILIES, Source},
    figures::{AgentFigures, ReaderProcess, reader_processes},
    group::{SessionGroup, session_groups},
    labels::BaseLabels,
    points::{PointEmitter, PointSink},
    status::OutputStatus,
};
use crate::model::Model;

/// The model's figures at one moment.
#[derive(Debug)]
pub(in crate::outputs) struct MetricsSnapshot {
    groups: Vec<SessionGroup>,
    processes: Vec<ReaderProcess>,
    agent: AgentFigures,
}

impl MetricsSnapshot {
    /// Copies the figures of the model; its lock is held no longer than that.
    pub(in crate::outputs) fn of(model: &Mutex<Model>, status: OutputStatus) -> Self {
        let model = lock(model);
        let groups = session_groups(&model);
        Self {
            processes: reader_processes(&model, &groups),
            agent: AgentFigures::of(&model, status),
            groups,
        }
    }

    /// Emits all points, metric by metric, and returns the number of series in the text formats.
    pub(in crate::outputs) fn emit(&self, sink: &mut dyn PointSink) -> u64 {
        let no_labels = BaseLabels::default();
        let node = self.agent.status.node();
        let mut series = 0;
        for family in FAMILIES.iter().copied().flatten() {
            let mut points = PointEmitter::new(&family.metric, sink, &no_labels, &mut series, node);
            match family.source {
                Source::Session(put) => {
                    for group in &self.groups {
                        points.set_base(&group.labels, group.since_ns);
                        put(group, &mut points);
                    }
                }
                Source::Process(put) => {
                    for process in &self.processes {
                        points.set_base(&process.labels, self.agent.started_utc_ns);
                        put(process, &mut points);
                    }
                }
                Source::Agent(put) => {
                    points.set_base(&no_labels, self.agent.started_utc_ns);
                    put(&self.agent, &mut points);
                }
            }
        }
        series
    }
}

/// Locks the model, also after a panic elsewhere: each of its figures is valid at any time.
fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}
