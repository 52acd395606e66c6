//! The one store of everything measured.

use std::time::Duration;

use super::{
    cpu::CpuTable,
    figures::{Interval, SessionFigures, SessionName, Summary},
    history::SessionHistory,
    processes::{MAX_PROCESSES, ProcessTable},
    readings::LatestPair,
    reported::ReportedCounts,
    roster::Roster,
    session::{FiguresContext, Session},
    threads::ThreadReadings,
};
use crate::{
    domain::{CgroupUse, Culprit, Health, Moment, Part, ProcessInfo, ThreadUse, Update},
    stats::{CulpritNames, WaitingNow},
    verdict::{CpuUse, DEFAULT_MAX_LATENCY},
};

/// What has been measured since the start, per session, and the agent's health.
///
/// Memory is bounded: 256 sessions are counted apart, each with about half a MiB at most (400 KiB
/// with ages up to a minute), allocated as ages grow. A session beyond these takes the slot of the
/// one that ended first, which is merged into a session with the same labels or into
/// [`SessionName::Earlier`]; when none has ended, it counts under [`SessionName::Other`].
///
/// The run loop owns it and shares it with the metrics endpoint as `Arc<Mutex<Model>>`.
#[derive(Debug)]
pub(crate) struct Model {
    started: Moment,
    /// The moment of the latest update or interval.
    pub(super) now: Moment,
    pub(super) sessions: Roster,
    processes: ProcessTable,
    cpus: CpuTable,
    threads: ThreadReadings,
    names: CulpritNames,
    pub(super) health: Health,
    reported: ReportedCounts,
    interval_from: Moment,
    max_latency: Duration,
    /// Whether ended sessions are merged once their metrics have disappeared.
    merges_ended: bool,
}

impl Model {
    /// An empty model; time counts from `now` on.
    #[must_use]
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            started: now,
            now,
            sessions: Roster::new(now),
            processes: ProcessTable::default(),
            cpus: CpuTable::default(),
            threads: ThreadReadings::default(),
            names: CulpritNames::default(),
            health: Health::default(),
            reported: ReportedCounts::default(),
            interval_from: now,
            max_latency: DEFAULT_MAX_LATENCY,
            merges_ended: false,
        }
    }

    /// Merges ended sessions once their metrics have disappeared, for runs without end. The summary
    /// then has them together as [`SessionName::Earlier`].
    pub(crate) const fn merge_ended_sessions(&mut self) {
        self.merges_ended = true;
    }

    /// Sets the largest number of sessions with series of their own in the metrics. A session that
    /// comes while there is no room counts under [`SessionName::Other`] there, for good.
    pub(crate) const fn set_max_series(&mut self, sessions: usize) {
        self.sessions.set_max_series(sessions);
    }

    /// Sets the age at which counterparties begin to reject messages.
    pub(crate) const fn set_max_latency(&mut self, max_latency: Duration) {
        self.max_latency = max_latency;
    }

    /// Applies an update that was made at `now`.
    pub(crate) fn apply(&mut self, now: Moment, update: &Update) {
        self.now = now;
        self.sessions.set_now(now);
        match update {
            Update::Message(message) => {
                let id = &message.session;
                self.sessions
                    .update(id, &self.processes, |session| session.message(message));
            }
            Update::Excluded(id, why) => {
                self.sessions
                    .update(id, &self.processes, |session| session.exclude(*why));
            }
            Update::Tap(id, counts) => {
                self.sessions
                    .update(id, &self.processes, |session| session.add_tap(counts));
            }
            Update::LockWaits(id, totals) => {
                let session = self.sessions.session(id, &self.processes);
                // Cumulative counts of several sessions cannot be distinguished in a group.
                if session.id().is_some() {
                    session.set_lock_waits(*totals);
                }
            }
            Update::Window(id, closures) => {
                let session = self.sessions.session(id, &self.processes);
                if session.id().is_some() {
                    session.set_window(closures);
                }
            }
            Update::Waiting(id, waiting) => {
                self.sessions
                    .session(id, &self.processes)
                    .set_waiting(now, waiting);
            }
            Update::SessionEnded(id) => self.sessions.end(id),
            Update::Health(health) => self.health.clone_from(health),
            Update::Culprit(id, culprit) => self.names.register(*id, culprit),
            Update::CulpritRetired(id) => self.names.retire(*id),
            Update::Wait(wait) => {
                for session in self.sessions.single_sessions_mut() {
                    session.add_wait(wait);
                }
            }
            Update::HolderSample(sample) => {
                for session in self.sessions.single_sessions_mut() {
                    session.add_sample(sample);
                }
            }
            Update::Cgroup(reading) => self.cpus.add(now, reading, MAX_PROCESSES),
            Update::Process(process) => {
                if let Some(process) = self.processes.insert(process) {
                    self.sessions.set_process(process);
                }
            }
            Update::ProcessEnded(pid) => {
                self.processes.remove(*pid);
                self.cpus.process_ended(*pid);
            }
            Update::ThreadUse(reading) => self.threads.add(now, reading),
            // Whoever takes the interval ends it: see `take_interval`.
            Update::IntervalEnded => {}
        }
    }

    /// Takes the figures since the last call, or since the start.
    pub(crate) fn take_interval(&mut self, now: Moment) -> Interval {
        self.now = now;
        self.sessions.set_now(now);
        let sessions_observed = self.sessions.observed();
        let length = now.since(self.interval_from);
        let sessions = self.take_session_figures(length);
        if self.merges_ended {
            self.sessions.merge_ended();
        }
        self.forget_culprits();
        let (lost, anomalies) = self.reported.since(&self.health);
        self.threads.forget_ended();
        self.interval_from = now;
        Interval {
            until_ns: now.utc_ns,
            length,
            sessions,
            sessions_observed,
            lost,
            anomalies,
        }
    }

    /// Takes the figures of the sessions that are open or have any.
    fn take_session_figures(&mut self, length: Duration) -> Vec<SessionFigures> {
        let mut cpus = self.cpus.take_interval();
        for (&pid, cpu) in &mut cpus {
            cpu.request = cpu_request(self.processes.get(pid).map(|process| &**process));
        }
        let context = |cpu: Option<CpuUse>| FiguresContext {
            names: &self.names,
            length,
            until_ns: self.now.utc_ns,
            max_latency: self.max_latency,
            cpu,
        };
        let mut figures = Vec::new();
        for session in self.sessions.all_mut() {
            let cpu = session.id().and_then(|id| cpus.get(&id.pid).cloned());
            let taken = session.take_interval(&context(cpu));
            let is_open = !taken.ended && taken.name != SessionName::Earlier;
            if is_open || !taken.figures.is_empty() {
                figures.push(taken);
            }
        }
        if let Some(aggregated) = self.sessions.aggregated_mut() {
            // Its sessions have been reported one by one.
            let _figures = aggregated.take_interval(&context(None));
        }
        figures
    }

    fn forget_culprits(&mut self) {
        let mut sessions = self.sessions.all();
        sessions.extend(self.sessions.aggregated());
        self.names
            .forget_unused(|id| sessions.iter().any(|session| session.contains(id)));
    }

    /// The figures since the start.
    #[must_use]
    pub(crate) fn summary(&self, now: Moment) -> Summary {
        let length = now.since(self.started);
        let figures = |session: &Session| {
            let cpu = session.id().and_then(|id| self.cpus.total(id.pid));
            session.summary(&FiguresContext {
                names: &self.names,
                length,
                until_ns: now.utc_ns,
                max_latency: self.max_latency,
                cpu: cpu.map(|cpu| CpuUse {
                    request: cpu_request(session.process.as_deref()),
                    ..cpu
                }),
            })
        };
        Summary {
            since_ns: self.started.utc_ns,
            until_ns: now.utc_ns,
            length,
            sessions: self.sessions.all().into_iter().map(figures).collect(),
            sessions_observed: self.sessions.observed(),
            health: self.health.clone(),
        }
    }

    /// The histories of all sessions in the order of first observation, then of the groups.
    pub(crate) fn session_histories(&self) -> impl Iterator<Item = SessionHistory<'_>> {
        self.sessions.all().into_iter().map(Session::history)
    }

    /// The latest two readings of every thread of the target processes, at most 1024, by process and
    /// thread.
    pub(crate) fn threads(&self) -> impl Iterator<Item = LatestPair<'_, ThreadUse>> {
        self.threads.latest_pairs()
    }

    /// The latest two readings of the cgroups of every target process, by pid.
    pub(crate) fn cgroups(&self) -> impl Iterator<Item = LatestPair<'_, CgroupUse>> {
        self.cpus.latest_pairs()
    }

    /// The age at which counterparties begin to reject messages.
    #[must_use]
    pub(crate) const fn max_latency(&self) -> Duration {
        self.max_latency
    }

    /// The moment of the latest update or interval.
    #[must_use]
    pub(crate) const fn now(&self) -> Moment {
        self.now
    }

    /// The time from the start to the latest update or interval.
    #[must_use]
    pub(crate) const fn age(&self) -> Duration {
        self.now.since(self.started)
    }

    pub(crate) const fn health(&self) -> &Health {
        &self.health
    }

    /// When the model was made, nanoseconds since 1970 UTC.
    pub(crate) const fn started_utc_ns(&self) -> i64 {
        self.started.utc_ns
    }

    /// The name of a thread of a target process.
    pub(crate) fn thread_name(&self, pid: u32, tid: u32) -> Option<&str> {
        self.threads.name(pid, tid)
    }

    /// The culprits of a part of a session that have series of their own, and their charges since
    /// they were promoted, nanoseconds. What these lack of the part is other.
    pub(crate) fn blame_series(
        &self,
        session: &Session,
        part: Part,
    ) -> impl Iterator<Item = (&Culprit, u64)> {
        let series = session.blame_series(part);
        series.filter_map(|(id, ns)| Some((&**self.names.get(id)?, ns)))
    }

    /// Whether a session is stalled.
    pub(crate) fn is_any_stalled(&self) -> bool {
        let mut sessions = self.sessions.all().into_iter();
        sessions.any(|session| self.waiting_now(session).is_some_and(|now| now.stalled))
    }

    /// What waits on a session now; `None` for groups and ended sessions.
    pub(crate) fn waiting_now(&self, session: &Session) -> Option<WaitingNow> {
        session.waiting_now(&self.names)
    }

    /// The sessions in the metrics, groups last.
    pub(crate) fn sessions_with_metrics(&self) -> Vec<&Session> {
        self.sessions.with_metrics()
    }

    /// The number of sessions so far that count under [`SessionName::Other`] in the metrics. Those
    /// beyond the 256 that are counted apart are distinguished up to 4096.
    pub(crate) fn sessions_without_series(&self) -> u64 {
        self.sessions.sessions_without_series()
    }

    /// The number of processes and of threads that read open sessions, of those counted apart.
    pub(crate) fn readers(&self) -> (usize, usize) {
        self.sessions.readers()
    }

    /// The number of open sessions; those beyond the limit count as one.
    pub(crate) fn open_sessions(&self) -> usize {
        self.sessions.open()
    }
}

/// The CPU request of a process's container in CPUs.
fn cpu_request(process: Option<&ProcessInfo>) -> Option<f64> {
    let millis = process?.cpu_request_millis?;
    Some(millis as f64 / 1000.0)
}
