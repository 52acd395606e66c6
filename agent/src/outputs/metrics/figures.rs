//! The figures of the processes that read sessions, and of the agent, copied from the model.

use std::{collections::BTreeMap, time::Duration};

use super::{
    group::{SessionGroup, place},
    labels::{BaseLabels, PROCESS_LABELS},
    status::OutputStatus,
};
use crate::{
    domain::{CgroupLevel, CgroupUse, Health},
    model::Model,
};

/// A process that reads sessions, and its CPU.
#[derive(Debug, Default)]
pub(super) struct ReaderProcess {
    pub(super) labels: BaseLabels,
    pub(super) request_millis: Option<u64>,
    /// The cgroup level with the tightest limit.
    pub(super) limited: Option<CgroupLevel>,
    /// CPU time used by that level, or without a limit by the process's own level, nanoseconds.
    pub(super) usage_ns: Option<u64>,
}

/// The agent's figures about itself.
#[derive(Debug)]
pub(super) struct AgentFigures {
    pub(super) health: Health,
    pub(super) open_sessions: u64,
    pub(super) processes: u64,
    pub(super) threads: u64,
    /// Sessions without series of their own.
    pub(super) folded: u64,
    pub(super) started_utc_ns: i64,
    pub(super) max_latency: Duration,
    pub(super) status: OutputStatus,
}

impl AgentFigures {
    pub(super) fn of(model: &Model, status: OutputStatus) -> Self {
        let (processes, threads) = model.readers();
        Self {
            health: model.health().clone(),
            open_sessions: model.open_sessions() as u64,
            processes: processes as u64,
            threads: threads as u64,
            folded: model.sessions_without_series(),
            started_utc_ns: model.started_utc_ns(),
            max_latency: model.max_latency(),
            status,
        }
    }
}

/// The processes of the sessions that have series, in the order of their ids.
pub(super) fn reader_processes(model: &Model, groups: &[SessionGroup]) -> Vec<ReaderProcess> {
    let mut processes = BTreeMap::new();
    for (pid, facts) in groups.iter().filter_map(|g| Some((g.pid?, &g.process))) {
        let process = processes.entry(pid).or_insert_with(ReaderProcess::default);
        let facts = facts.as_deref();
        let [namespace, pod, container] = place(facts);
        let values = [pid.to_string(), namespace, pod, container];
        let names = PROCESS_LABELS.map(|label| label.name);
        process.labels = BaseLabels::new(names.into_iter().zip(values));
        process.request_millis = facts.and_then(|f| f.cpu_request_millis);
    }
    for read in model.cgroups() {
        if let Some(process) = processes.get_mut(&read.now.pid) {
            process.limited = tightest(read.now).cloned();
            let level = process.limited.as_ref().or(read.now.levels.first());
            process.usage_ns = level.and_then(|level| level.usage_ns);
        }
    }
    processes.into_values().collect()
}

/// The level that allows the least CPU; of several equal ones the nearest to the process.
fn tightest(cgroups: &CgroupUse) -> Option<&CgroupLevel> {
    let limited = cgroups.levels.iter().filter_map(|l| Some((l.cores()?, l)));
    let least = limited.min_by(|a, b| a.0.total_cmp(&b.0));
    least.map(|(_, level)| level)
}
