//! What an exposition is made of, copied from the model.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    contract::{METRICS, PROCESS},
    group::{Group, groups, place},
    metric::Source,
    points::{Labels, Points, Sink},
    status::Account,
};
use crate::{
    domain::{CgroupLevel, CgroupUse, Health},
    model::Model,
};

/// The model's figures at one moment.
#[derive(Debug)]
pub(in crate::outputs) struct Snapshot {
    groups: Vec<Group>,
    processes: Vec<Process>,
    agent: Agent,
}

/// A process that reads sessions, and its CPU.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) labels: Labels,
    pub(super) request_millis: Option<u64>,
    /// The level with the tightest limit.
    pub(super) limited: Option<CgroupLevel>,
    /// CPU time used by that one, or where there is no limit by its own, ns.
    pub(super) usage_ns: Option<u64>,
}

/// The agent's account of itself.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) health: Health,
    pub(super) open_sessions: u64,
    pub(super) processes: u64,
    pub(super) threads: u64,
    pub(super) folded: u64,
    pub(super) started_utc_ns: i64,
    pub(super) max_latency: Duration,
    pub(super) account: Account,
}

impl Snapshot {
    /// Holds the model's lock to copy its figures, no longer.
    pub(in crate::outputs) fn of(model: &Mutex<Model>, account: Account) -> Self {
        let model = lock(model);
        let groups = groups(&model);
        Self {
            processes: processes(&model, &groups),
            agent: Agent::of(&model, account),
            groups,
        }
    }

    /// Tells all of it, metric by metric; gives the number of series in the text formats.
    pub(in crate::outputs) fn tell(&self, sink: &mut dyn Sink) -> u64 {
        let none = Labels::default();
        let node = self.agent.account.node();
        let mut series = 0;
        for metric in METRICS.iter().copied().flatten() {
            let mut points = Points::new(metric, sink, &none, &mut series, node);
            match metric.source {
                Source::Session(put) => {
                    for group in &self.groups {
                        points.of(&group.labels, group.since_ns);
                        put(group, &mut points);
                    }
                }
                Source::Process(put) => {
                    for process in &self.processes {
                        points.of(&process.labels, self.agent.started_utc_ns);
                        put(process, &mut points);
                    }
                }
                Source::Agent(put) => {
                    points.of(&none, self.agent.started_utc_ns);
                    put(&self.agent, &mut points);
                }
            }
        }
        series
    }
}

/// The model, also after a panic elsewhere: its figures are each valid at any time.
fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agent {
    fn of(model: &Model, account: Account) -> Self {
        let (processes, threads) = model.readers();
        Self {
            health: model.health().clone(),
            open_sessions: model.open_sessions() as u64,
            processes: processes as u64,
            threads: threads as u64,
            folded: model.sessions_without_series(),
            started_utc_ns: model.started_utc_ns(),
            max_latency: model.max_latency(),
            account,
        }
    }
}

fn processes(model: &Model, groups: &[Group]) -> Vec<Process> {
    let mut processes = BTreeMap::new();
    for (pid, facts) in groups.iter().filter_map(|g| Some((g.pid?, &g.process))) {
        let process = processes.entry(pid).or_insert_with(Process::default);
        let facts = facts.as_deref();
        let [namespace, pod, container] = place(facts);
        let values = [pid.to_string(), namespace, pod, container];
        process.labels = Labels::new(PROCESS.map(|label| label.name).into_iter().zip(values));
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

/// The level with the least CPU allowed; of several with the same the one nearest to the process.
fn tightest(cgroups: &CgroupUse) -> Option<&CgroupLevel> {
    let limited = cgroups.levels.iter().filter_map(|l| Some((l.cores()?, l)));
    let least = limited.min_by(|a, b| a.0.total_cmp(&b.0));
    least.map(|(_, level)| level)
}
