//! The one store of everything measured.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    cpu::Cpu,
    figures::{Interval, SessionName, Summary},
    history::SessionHistory,
    recent::{LatestPair, Threads},
    reported::ReportedCounts,
    roster::{MAX_PROCESSES, Roster},
    session::{Session, Surroundings},
};
#[cfg(test)]
use crate::domain::{ExclusionReason, LockWaitTotals, Message, SessionId, TapCounts};
use crate::{
    domain::{CgroupUse, Culprit, Health, Moment, Part, ProcessInfo, ThreadUse, Update},
    stats::CulpritNames,
    verdict::{CpuUse, DEFAULT_MAX_LATENCY},
};

/// What has been measured since the start, per session, and the agent's account of itself.
///
/// Memory is bounded: 256 sessions are kept apart, each with at most about half a MiB (for ages up
/// to a minute about 400 KiB), allocated as ages grow. A session beyond these takes the place of
/// the one that ended first, which then counts under a session of the same labels, or under
/// [`SessionName::Earlier`]; when none has ended, it counts under [`SessionName::Other`].
///
/// The run loop owns it and shares it with the metrics endpoint as `Arc<Mutex<Model>>`.
#[derive(Debug)]
pub struct Model {
    started: Moment,
    /// The moment of the latest update.
    now: Moment,
    sessions: Roster,
    interval_from: Moment,
    health: Health,
    reported: ReportedCounts,
    names: CulpritNames,
    /// The CPU of each watched process.
    cpus: BTreeMap<u32, Cpu>,
    max_latency: Duration,
    threads: Threads,
    folds_ended: bool,
}

impl Model {
    /// An empty model; time counts from `now` on.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self {
            started: now,
            now,
            sessions: Roster::new(now),
            interval_from: now,
            health: Health::default(),
            reported: ReportedCounts::default(),
            names: CulpritNames::default(),
            cpus: BTreeMap::new(),
            max_latency: DEFAULT_MAX_LATENCY,
            threads: Threads::default(),
            folds_ended: false,
        }
    }

    /// Sessions that have ended are not kept apart for longer than their metrics: for a watch
    /// without end. The summary then has them in one, [`SessionName::Earlier`].
    pub const fn merge_ended_sessions(&mut self) {
        self.folds_ended = true;
    }

    /// Applies an update that was made at `now`.
    pub fn apply(&mut self, now: Moment, update: &Update) {
        self.now = now;
        self.sessions.at(now);
        match update {
            Update::Message(message) => {
                self.sessions
                    .tell(&message.session, |session| session.message(message));
            }
            Update::Excluded(session, why) => self.sessions.tell(session, |session| {
                session.total.exclude(*why);
                session.interval.exclude(*why);
            }),
            Update::Tap(session, delta) => self.sessions.tell(session, |session| {
                session.total.tap.absorb(delta);
                session.interval.tap.absorb(delta);
            }),
            Update::LockWaits(session, facts) => {
                let session = self.sessions.session(session);
                // Not kept for sessions beyond the limit.
                if session.id().is_some() {
                    session.threads = *facts;
                }
            }
            Update::Window(session, facts) => {
                let session = self.sessions.session(session);
                // Not kept for sessions beyond the limit.
                if session.id().is_some() {
                    session.window(facts);
                }
            }
            Update::SessionEnded(session) => self.sessions.end(session),
            Update::Health(health) => self.health.clone_from(health),
            Update::Culprit(id, culprit) => self.names.register(*id, culprit),
            Update::CulpritRetired(id) => self.names.retire(*id),
            Update::Wait(wait) => {
                for session in self.sessions.apart() {
                    session.waited(wait);
                }
            }
            Update::Cgroup(read) => self.cgroup(now, read),
            Update::Process(facts) => self.sessions.process_is(facts),
            Update::ProcessEnded(pid) => self.process_ended(*pid),
            Update::ThreadUse(read) => self.threads.read(now, read),
            Update::HolderSample(sample) => {
                for session in self.sessions.apart() {
                    session.sampled(sample);
                }
            }
            // Whoever takes the interval ends it: see `take_interval`.
            Update::IntervalEnded => {}
        }
    }

    /// How many sessions have series of their own in the metrics, at the most: those that come
    /// while there is no room count under [`SessionName::Other`] there, for good.
    pub const fn set_max_series(&mut self, sessions: usize) {
        self.sessions.set_max_series(sessions);
    }

    /// Sessions that count under [`SessionName::Other`] in the metrics, ever; those beyond the 256
    /// that are kept apart are told from each other up to 4096.
    pub(crate) fn sessions_without_series(&self) -> u64 {
        self.sessions.folded_count()
    }

    /// The age at which counterparties begin to refuse messages.
    pub const fn set_max_latency(&mut self, max_latency: Duration) {
        self.max_latency = max_latency;
    }

    fn cgroup(&mut self, now: Moment, read: &CgroupUse) {
        if let Some(cpu) = self.cpus.get_mut(&read.pid)
            && !cpu.ended
        {
            cpu.read(now, read);
            return;
        }
        if self.cpus.len() >= MAX_PROCESSES {
            let ended = self.cpus.iter().find(|(_, cpu)| cpu.ended);
            let Some((&gone, _)) = ended else {
                return;
            };
            self.cpus.remove(&gone);
        }
        self.cpus.insert(read.pid, Cpu::first(now, read));
    }

    fn process_ended(&mut self, pid: u32) {
        self.sessions.process_ended(pid);
        if let Some(cpu) = self.cpus.get_mut(&pid) {
            cpu.ended = true;
        }
    }

    /// What is known of a process that reads sessions and has not ended.
    #[must_use]
    pub fn process(&self, pid: u32) -> Option<&ProcessInfo> {
        self.sessions.process(pid).map(|facts| &**facts)
    }

    /// All of these, by pid.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessInfo> {
        self.sessions.processes()
    }

    pub(crate) const fn health(&self) -> &Health {
        &self.health
    }

    /// When the model was made, nanoseconds since 1970 UTC.
    pub(crate) const fn started_utc_ns(&self) -> i64 {
        self.started.utc_ns
    }

    /// Takes the figures since the last call, or since the start.
    pub fn take_interval(&mut self, now: Moment) -> Interval {
        self.now = now;
        self.sessions.at(now);
        let sessions_observed = self.sessions.seen();
        let length = now.since(self.interval_from);
        let max_latency = self.max_latency;
        let cpus: HashMap<u32, CpuUse> = self
            .cpus
            .iter_mut()
            .filter_map(|(&pid, cpu)| Some((pid, cpu.take_interval()?)))
            .map(|(pid, cpu)| (pid, asked(cpu, self.sessions.process(pid))))
            .collect();
        let names = std::mem::take(&mut self.names);
        let sessions = self
            .sessions
            .all_mut()
            .into_iter()
            .map(|session| {
                let cpu = session.id().and_then(|id| cpus.get(&id.pid).cloned());
                session.take_interval(Surroundings {
                    names: &names,
                    length,
                    until_ns: now.utc_ns,
                    max_latency,
                    cpu,
                })
            })
            .filter(|s| {
                let open = !s.ended && s.name != SessionName::Earlier;
                open || !s.figures.is_empty()
            })
            .collect();
        if let Some(folded) = self.sessions.folded_mut() {
            // Told already, session by session.
            let _told = folded.take_interval(Surroundings {
                names: &names,
                length,
                until_ns: now.utc_ns,
                max_latency,
                cpu: None,
            });
        }
        self.names = names;
        if self.folds_ended {
            self.sessions.fold_ended();
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

    fn forget_culprits(&mut self) {
        let mut names = std::mem::take(&mut self.names);
        let mut sessions = self.sessions.all();
        sessions.extend(self.sessions.folded());
        names.forget_unused(|id| sessions.iter().any(|session| session.mentions(id)));
        self.names = names;
    }

    /// Everything since the start.
    #[must_use]
    pub fn summary(&self, now: Moment) -> Summary {
        let length = now.since(self.started);
        Summary {
            since_ns: self.started.utc_ns,
            until_ns: now.utc_ns,
            length,
            sessions: self
                .sessions
                .all()
                .into_iter()
                .map(|session| {
                    let cpu = session.id().and_then(|id| self.cpus.get(&id.pid));
                    let cpu = cpu.and_then(Cpu::total);
                    session.summary(Surroundings {
                        names: &self.names,
                        length,
                        until_ns: now.utc_ns,
                        max_latency: self.max_latency,
                        cpu: cpu.map(|cpu| asked(cpu, session.process.as_ref())),
                    })
                })
                .collect(),
            sessions_observed: self.sessions.seen(),
            health: self.health.clone(),
        }
    }

    /// The courses of all sessions, in the order of first sight, then of the groups.
    pub fn session_histories(&self) -> impl Iterator<Item = SessionHistory<'_>> {
        self.sessions.all().into_iter().map(Session::course)
    }

    /// The latest two accounts of every thread of the watched processes (1024 at the most), by
    /// process and thread.
    pub fn threads(&self) -> impl Iterator<Item = LatestPair<'_, ThreadUse>> {
        self.threads.recent()
    }

    /// The latest two accounts of every watched process's cgroups, by process.
    pub fn cgroups(&self) -> impl Iterator<Item = LatestPair<'_, CgroupUse>> {
        self.cpus.values().map(Cpu::recent)
    }

    /// The age at which counterparties begin to refuse messages.
    #[must_use]
    pub const fn max_latency(&self) -> Duration {
        self.max_latency
    }

    /// When it was last told or asked something.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// From when it was made to when it was last told or asked something.
    #[must_use]
    pub const fn age(&self) -> Duration {
        self.now.since(self.started)
    }

    /// The thread's name, where it was told.
    pub(crate) fn thread_name(&self, pid: u32, tid: u32) -> Option<&str> {
        self.threads.name(pid, tid)
    }

    /// Who is charged with how much of a part of a session since they were first worth a series;
    /// what is missing of the part is other.
    pub(crate) fn blame_series(
        &self,
        session: &Session,
        part: Part,
    ) -> impl Iterator<Item = (&Culprit, u64)> {
        let named = session.blame.series(part);
        named.filter_map(|(id, ns)| Some((&**self.names.get(id)?, ns)))
    }

    /// Time of a part of a session for which somebody was charged under a series that has ended,
    /// nanoseconds.
    pub(crate) fn blame_retired(session: &Session, part: Part) -> u64 {
        session.blame.ended_series_ns(part)
    }

    /// The sessions with metrics: see [`Roster::with_metrics`].
    pub(crate) fn sessions_with_metrics(&self) -> Vec<&Session> {
        self.sessions.with_metrics()
    }

    /// How many processes and threads read open sessions, of those kept apart.
    pub(crate) fn readers(&self) -> (usize, usize) {
        self.sessions.readers()
    }

    /// Sessions that are open, those beyond the limit as one.
    pub(crate) fn open_sessions(&self) -> usize {
        self.sessions.open()
    }
}

/// With what its container asked for, where that is known.
fn asked(mut cpu: CpuUse, process: Option<&Arc<ProcessInfo>>) -> CpuUse {
    let millis = process.and_then(|process| process.cpu_request_millis);
    cpu.request = millis.map(|millis| millis as f64 / 1000.0);
    cpu
}

#[cfg(test)]
impl Model {
    /// Time stands still in it unless it is told otherwise.
    pub(crate) fn at_zero() -> Self {
        Self::new(Moment::default())
    }

    pub(crate) fn observe(&mut self, message: &Message) {
        self.apply(self.now, &Update::Message(Box::new(message.clone())));
    }

    pub(crate) fn exclude(&mut self, session: &Arc<SessionId>, why: ExclusionReason) {
        self.apply(self.now, &Update::Excluded(Arc::clone(session), why));
    }

    pub(crate) fn tap(&mut self, session: &Arc<SessionId>, delta: TapCounts) {
        self.apply(self.now, &Update::Tap(Arc::clone(session), delta));
    }

    pub(crate) fn end_session(&mut self, session: &Arc<SessionId>) {
        self.apply(self.now, &Update::SessionEnded(Arc::clone(session)));
    }

    pub(crate) fn set_threads(&mut self, session: &Arc<SessionId>, facts: LockWaitTotals) {
        self.apply(self.now, &Update::LockWaits(Arc::clone(session), facts));
    }

    pub(crate) fn interval_now(&mut self) -> Interval {
        self.take_interval(self.now)
    }

    pub(crate) fn summary_now(&self) -> Summary {
        self.summary(self.now)
    }

    pub(crate) const fn health_mut(&mut self) -> &mut Health {
        &mut self.health
    }

    pub(crate) const fn set_now(&mut self, now: Moment) {
        self.now = now;
        self.sessions.at(now);
    }

    /// Bytes held for all sessions.
    pub(super) fn session_bytes(&self) -> usize {
        self.sessions.bytes()
    }
}
