//! The one store of everything measured.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use super::{
    blame::Names,
    cgroup::CgroupUse,
    cpu::Cpu,
    culprit::Culprit,
    figures::{Interval, SessionName, Summary},
    health::{Health, Told},
    history::Course,
    input::Input,
    matrix::Part,
    message::SessionId,
    moment::Moment,
    process::ProcessFacts,
    recent::{Recent, Threads},
    series::{self, Labels, Series},
    session::{Session, Surroundings},
    thread_use::ThreadUse,
    verdict::{CpuUse, MAX_LATENCY},
};
#[cfg(test)]
use super::{
    facts::{Excluded, TapDelta, ThreadFacts},
    message::Message,
};

/// Sessions kept apart from each other.
const MAX_SESSIONS: usize = 256;
/// How many of the sessions beyond these are told apart in order to count them.
const MAX_COUNTED: usize = 4096;
/// Processes of which more is kept than their sessions.
const MAX_PROCESSES: usize = 1024;
/// How long the metrics of a session outlive its socket: several scrapes at the usual intervals, so
/// that every scraper reads the final values.
const SERIES_GRACE: Duration = Duration::from_secs(120);

/// What has been measured since the start, per session, and the agent's account of itself.
///
/// Memory is bounded: 256 sessions are kept apart, each with at most about half a MiB (for ages up
/// to a minute about 400 KiB), allocated as ages grow. A session beyond these takes the place of the
/// one that ended first, which then counts under a session of the same labels, or under
/// [`SessionName::Earlier`]; when none has ended, it counts under [`SessionName::Other`].
///
/// The run loop owns it and shares it with the metrics endpoint as `Arc<Mutex<Model>>`.
#[derive(Debug)]
pub struct Model {
    started: Moment,
    /// When it was last told something.
    now: Moment,
    sessions: Vec<Session>,
    index: HashMap<Arc<SessionId>, usize>,
    /// Where the last message went: mostly the next one goes there too.
    latest: Option<(Arc<SessionId>, usize)>,
    other: Option<Box<Session>>,
    earlier: Option<Box<Session>>,
    counted: HashSet<u64>,
    hasher: RandomState,
    born: u64,
    interval_from: Moment,
    health: Health,
    told: Told,
    names: Names,
    /// The CPU of each watched process.
    cpus: BTreeMap<u32, Cpu>,
    processes: BTreeMap<u32, Arc<ProcessFacts>>,
    max_latency: Duration,
    threads: Threads,
    folds_ended: bool,
    /// Sessions with series of their own in the metrics, at the most.
    most_series: usize,
    /// What sessions without count there, together.
    folded: Option<Box<Session>>,
    /// How many there were.
    folded_sessions: u64,
}

impl Model {
    /// An empty model; time counts from `now` on.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self {
            started: now,
            now,
            sessions: Vec::new(),
            index: HashMap::new(),
            latest: None,
            other: None,
            earlier: None,
            counted: HashSet::new(),
            hasher: RandomState::new(),
            born: 0,
            interval_from: now,
            health: Health::default(),
            told: Told::default(),
            names: Names::default(),
            cpus: BTreeMap::new(),
            processes: BTreeMap::new(),
            max_latency: MAX_LATENCY,
            threads: Threads::default(),
            folds_ended: false,
            most_series: MAX_SESSIONS,
            folded: None,
            folded_sessions: 0,
        }
    }

    /// Sessions that have ended are not kept apart for longer than their metrics: for a watch without end. The summary
    /// then has them in one, [`SessionName::Earlier`].
    pub const fn fold_ended_sessions(&mut self) {
        self.folds_ended = true;
    }

    /// Takes in what is told at `now`.
    pub fn take(&mut self, now: Moment, input: &Input) {
        self.now = now;
        match input {
            Input::Message(message) => {
                self.tell(&message.session, |session| session.message(message));
            }
            Input::Excluded(session, why) => self.tell(session, |session| {
                session.total.exclude(*why);
                session.interval.exclude(*why);
            }),
            Input::Tap(session, delta) => self.tell(session, |session| {
                session.total.tap.absorb(delta);
                session.interval.tap.absorb(delta);
            }),
            Input::Threads(session, facts) => {
                let session = self.session(session);
                // Not kept for sessions beyond the limit.
                if session.id().is_some() {
                    session.threads = *facts;
                }
            }
            Input::Window(session, facts) => {
                let session = self.session(session);
                // Not kept for sessions beyond the limit.
                if session.id().is_some() {
                    session.window(facts);
                }
            }
            Input::Ended(session) => self.end_session(session),
            Input::Health(health) => self.health.clone_from(health),
            Input::Culprit(id, culprit) => self.names.learn(*id, culprit),
            Input::CulpritGone(id) => self.names.retire(*id),
            Input::Wait(wait) => {
                for session in &mut self.sessions {
                    session.waited(wait);
                }
            }
            Input::Cgroup(read) => self.cgroup(now, read),
            Input::Process(facts) => self.process_is(facts),
            Input::ProcessEnded(pid) => self.process_ended(*pid),
            Input::ThreadUse(read) => self.threads.read(now, read),
            Input::Sample(sample) => {
                for session in &mut self.sessions {
                    session.sampled(sample);
                }
            }
        }
    }

    /// Tells a session, and where it counts in the metrics when it has no series there.
    fn tell(&mut self, id: &Arc<SessionId>, what: impl Fn(&mut Session)) {
        let session = self.session(id);
        what(session);
        if session.series.folded {
            let since_ns = self.started.utc_ns;
            what(
                self.folded
                    .get_or_insert_with(|| group(SessionName::Other, since_ns)),
            );
        }
    }

    /// How many sessions have series of their own in the metrics, at the most: those that come while there
    /// is no room count under [`SessionName::Other`] there, for good.
    pub const fn set_most_series(&mut self, sessions: usize) {
        self.most_series = sessions;
    }

    /// Sessions that count under [`SessionName::Other`] in the metrics, ever; those beyond the 256 that
    /// are kept apart are told from each other up to 4096.
    pub(crate) fn sessions_folded(&self) -> u64 {
        self.folded_sessions + self.counted.len() as u64
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

    fn process_is(&mut self, facts: &ProcessFacts) {
        if !self.processes.contains_key(&facts.pid) && self.processes.len() >= MAX_PROCESSES {
            return;
        }
        let facts = Arc::new(facts.clone());
        // Ended sessions keep what was known of them: the number may have passed on.
        for session in &mut self.sessions {
            if session.ended.is_none() && session.id().is_some_and(|id| id.pid == facts.pid) {
                session.process = Some(Arc::clone(&facts));
            }
        }
        self.processes.insert(facts.pid, facts);
    }

    fn process_ended(&mut self, pid: u32) {
        self.processes.remove(&pid);
        if let Some(cpu) = self.cpus.get_mut(&pid) {
            cpu.ended = true;
        }
    }

    /// What is known of a process that reads sessions and has not ended.
    #[must_use]
    pub fn process(&self, pid: u32) -> Option<&ProcessFacts> {
        self.processes.get(&pid).map(|facts| &**facts)
    }

    /// All of these, by pid.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessFacts> {
        self.processes.values().map(|facts| &**facts)
    }

    /// The session's socket was closed. It stays in the summary; its metrics go away two minutes
    /// later, unless a session with the same labels is open. Unknown sessions are ignored.
    pub(crate) fn end_session(&mut self, session: &Arc<SessionId>) {
        let now = self.now;
        if let Some(&slot) = self.index.get(session) {
            self.sessions[slot].ended.get_or_insert(now);
        }
    }

    pub(crate) const fn health_ref(&self) -> &Health {
        &self.health
    }

    /// When the model was made, nanoseconds since 1970 UTC.
    pub(crate) const fn started_utc_ns(&self) -> i64 {
        self.started.utc_ns
    }

    /// Takes the figures since the last call, or since the start.
    pub fn take_interval(&mut self, now: Moment) -> Interval {
        self.now = now;
        let sessions_seen = self.sessions_seen();
        let length = now.since(self.interval_from);
        let max_latency = self.max_latency;
        let cpus: HashMap<u32, CpuUse> = self
            .cpus
            .iter_mut()
            .filter_map(|(&pid, cpu)| Some((pid, cpu.take_interval()?)))
            .map(|(pid, cpu)| (pid, asked(cpu, self.processes.get(&pid))))
            .collect();
        let names = std::mem::take(&mut self.names);
        let sessions = self
            .sessions_mut()
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
        if let Some(folded) = &mut self.folded {
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
            self.fold_ended();
        }
        self.forget_culprits();
        let (lost, anomalies) = self.told.since(&self.health);
        self.threads.forget_ended();
        self.interval_from = now;
        Interval {
            until_ns: now.utc_ns,
            length,
            sessions,
            sessions_seen,
            lost,
            anomalies,
        }
    }

    fn forget_culprits(&mut self) {
        let mut names = std::mem::take(&mut self.names);
        let mut sessions = self.all_sessions();
        sessions.extend(self.folded.as_deref());
        names.forget(|id| sessions.iter().any(|session| session.mentions(id)));
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
                .all_sessions()
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
            sessions_seen: self.sessions_seen(),
            health: self.health.clone(),
        }
    }

    /// The courses of all sessions, in the order of first sight, then of the groups.
    pub fn courses(&self) -> impl Iterator<Item = Course<'_>> {
        self.all_sessions().into_iter().map(Session::course)
    }

    /// The latest two accounts of every thread of the watched processes (1024 at the most), by process
    /// and thread.
    pub fn threads(&self) -> impl Iterator<Item = Recent<'_, ThreadUse>> {
        self.threads.recent()
    }

    /// The latest two accounts of every watched process's cgroups, by process.
    pub fn cgroups(&self) -> impl Iterator<Item = Recent<'_, CgroupUse>> {
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

    /// The sessions with metrics: those open, those that ended a short while ago, and ended ones
    /// whose labels one of these bears, so that the sums under a label set never fall. What has no
    /// series of its own comes last, as groups.
    pub(crate) fn sessions_with_metrics(&self) -> Vec<&Session> {
        let shown = self.labels_shown();
        let mut sessions: Vec<_> = self
            .all_sessions()
            .into_iter()
            .filter(|s| match s.name {
                SessionName::One(_) => !s.series.folded && shown.contains(&s.labels()),
                SessionName::Other => true,
                SessionName::Earlier => false,
            })
            .collect();
        sessions.extend(self.folded.as_deref());
        sessions
    }

    /// The labels of sessions with series of their own.
    fn labels_shown(&self) -> HashSet<Labels<'_>> {
        let open = self.sessions.iter().filter(|s| !self.is_expired(s));
        open.filter(|s| !s.series.folded)
            .map(Session::labels)
            .collect()
    }

    /// Whether a session ended so long ago that its metrics are gone.
    fn is_expired(&self, session: &Session) -> bool {
        session.ended_before(self.now, SERIES_GRACE)
    }

    /// How a session that is not known appears in the metrics.
    fn series(&self, id: &Arc<SessionId>) -> Series {
        let port = Some(series::port(id, self.sessions.iter()));
        let name = SessionName::One(Arc::clone(id));
        Series {
            port,
            folded: self.is_to_fold(series::labels(&name, port)),
            since_ns: self.now.utc_ns,
        }
    }

    /// Whether there is no room for series with these labels.
    fn is_to_fold(&self, labels: Labels<'_>) -> bool {
        let shown = self.labels_shown();
        let mut same = self.sessions.iter().filter(|s| s.labels() == labels);
        // Under its own name it would look as if it had just begun.
        let was_folded = same.any(|s| s.series.folded);
        !shown.contains(&labels) && (was_folded || shown.len() >= self.most_series)
    }

    /// The thread's name, where it was told.
    pub(crate) fn thread_name(&self, pid: u32, tid: u32) -> Option<&str> {
        self.threads.name(pid, tid)
    }

    /// Who is charged with how much of a part of a session since they were first worth a series; what is
    /// missing of the part is other.
    pub(crate) fn blame_series(
        &self,
        session: &Session,
        part: Part,
    ) -> impl Iterator<Item = (&Culprit, u64)> {
        let named = session.blame.named(part);
        named.filter_map(|(id, ns)| Some((&**self.names.get(id)?, ns)))
    }

    /// Time of a part of a session for which somebody was charged under a series that has ended, nanoseconds.
    pub(crate) fn blame_retired(session: &Session, part: Part) -> u64 {
        session.blame.retired(part)
    }

    /// How many processes and threads read open sessions, of those kept apart.
    pub(crate) fn readers(&self) -> (usize, usize) {
        let open = || self.sessions.iter().filter(|s| s.ended.is_none());
        let pids: HashSet<_> = open().filter_map(|s| Some(s.name.id()?.pid)).collect();
        let tids: HashSet<_> = open().filter_map(|s| s.tid).collect();
        (pids.len(), tids.len())
    }

    /// Sessions that are open, those beyond the limit as one.
    pub(crate) fn open_sessions(&self) -> usize {
        let open = self.sessions.iter().filter(|s| s.ended.is_none()).count();
        open + usize::from(self.other.is_some())
    }

    pub(crate) fn sessions_seen(&self) -> u64 {
        self.born + self.counted.len() as u64
    }

    fn all_sessions(&self) -> Vec<&Session> {
        let mut all: Vec<_> = self.sessions.iter().collect();
        all.sort_unstable_by_key(|s| s.born);
        all.extend(self.other.as_deref());
        all.extend(self.earlier.as_deref());
        all
    }

    fn sessions_mut(&mut self) -> Vec<&mut Session> {
        let mut all: Vec<_> = self.sessions.iter_mut().collect();
        all.sort_unstable_by_key(|s| s.born);
        all.extend(self.other.as_deref_mut());
        all.extend(self.earlier.as_deref_mut());
        all
    }

    fn session(&mut self, id: &Arc<SessionId>) -> &mut Session {
        let latest = match &self.latest {
            Some((latest, slot)) if Arc::ptr_eq(latest, id) => Some(*slot),
            _ => None,
        };
        match latest.or_else(|| self.slot(id)) {
            Some(slot) => {
                if latest.is_none() {
                    self.latest = Some((Arc::clone(id), slot));
                }
                if self.sessions[slot].ended.is_some() && self.is_expired(&self.sessions[slot]) {
                    // The same addresses again: the session is back.
                    self.come_back(slot);
                }
                &mut self.sessions[slot]
            }
            None => {
                if self.counted.len() < MAX_COUNTED {
                    self.counted.insert(self.hasher.hash_one(id));
                }
                let since_ns = self.started.utc_ns;
                self.other
                    .get_or_insert_with(|| group(SessionName::Other, since_ns))
            }
        }
    }

    /// The place of a session, made if there is room.
    fn slot(&mut self, id: &Arc<SessionId>) -> Option<usize> {
        if let Some(&slot) = self.index.get(id) {
            return Some(slot);
        }
        let slot = if self.sessions.len() < MAX_SESSIONS {
            self.sessions.len()
        } else {
            self.make_room()?
        };
        let series = self.series(id);
        self.folded_sessions += u64::from(series.folded);
        let mut session = Session::new(SessionName::One(Arc::clone(id)), self.born, series);
        session.process = self.processes.get(&id.pid).map(Arc::clone);
        self.born += 1;
        if slot == self.sessions.len() {
            self.sessions.push(session);
        } else {
            self.sessions[slot] = session;
        }
        self.index.insert(Arc::clone(id), slot);
        Some(slot)
    }

    /// A session that had ended goes on.
    fn come_back(&mut self, slot: usize) {
        let known = &self.sessions[slot];
        let folds = !known.series.folded && self.is_to_fold(known.labels());
        let session = &mut self.sessions[slot];
        session.ended = None;
        session.series.folded |= folds;
        self.folded_sessions += u64::from(folds);
    }

    /// Folds the session that ended first into another, and gives its place.
    fn make_room(&mut self) -> Option<usize> {
        let (slot, _) = self
            .sessions
            .iter()
            .enumerate()
            .filter_map(|(slot, s)| Some((slot, (s.ended?.monotonic_ns, s.born))))
            .min_by_key(|&(_, ended)| ended)?;
        self.fold(slot);
        Some(slot)
    }

    /// Folds the sessions whose metrics are gone: a watch that goes on for weeks must not keep every connection.
    fn fold_ended(&mut self) {
        let mut slot = 0;
        while slot < self.sessions.len() {
            if !self.is_expired(&self.sessions[slot]) {
                slot += 1;
                continue;
            }
            self.fold(slot);
            self.sessions.swap_remove(slot);
            if let Some(id) = self.sessions.get(slot).and_then(Session::id) {
                self.index.insert(Arc::clone(id), slot);
            }
        }
    }

    /// Adds the session in a slot to another with its labels, or to the earlier ones; it is not found any more.
    fn fold(&mut self, slot: usize) {
        let gone = self.sessions[slot].clone();
        if let Some(id) = gone.id() {
            self.index.remove(id);
        }
        self.latest = None;
        let heir = self
            .sessions
            .iter_mut()
            .enumerate()
            .find(|(other, s)| {
                // Else it would count twice in the metrics.
                let alike = s.series.folded == gone.series.folded;
                *other != slot && alike && s.labels() == gone.labels()
            })
            .map(|(_, s)| s);
        match heir {
            Some(heir) => heir.absorb(&gone),
            None => match &mut self.earlier {
                Some(earlier) => earlier.absorb(&gone),
                None => {
                    let mut earlier = group(SessionName::Earlier, self.started.utc_ns);
                    earlier.connections = 0;
                    earlier.absorb(&gone);
                    self.earlier = Some(earlier);
                }
            },
        }
    }
}

/// With what its container asked for, where that is known.
fn asked(mut cpu: CpuUse, process: Option<&Arc<ProcessFacts>>) -> CpuUse {
    let millis = process.and_then(|process| process.cpu_request_millis);
    cpu.request = millis.map(|millis| millis as f64 / 1000.0);
    cpu
}

/// Several sessions as one.
fn group(name: SessionName, since_ns: i64) -> Box<Session> {
    let series = Series {
        since_ns,
        ..Series::default()
    };
    Box::new(Session::new(name, 0, series))
}

#[cfg(test)]
impl Model {
    /// Time stands still in it unless it is told otherwise.
    pub(crate) fn at_zero() -> Self {
        Self::new(Moment::default())
    }

    pub(crate) fn observe(&mut self, message: &Message) {
        self.take(self.now, &Input::Message(Box::new(message.clone())));
    }

    pub(crate) fn exclude(&mut self, session: &Arc<SessionId>, why: Excluded) {
        self.take(self.now, &Input::Excluded(Arc::clone(session), why));
    }

    pub(crate) fn tap(&mut self, session: &Arc<SessionId>, delta: TapDelta) {
        self.take(self.now, &Input::Tap(Arc::clone(session), delta));
    }

    pub(crate) fn set_threads(&mut self, session: &Arc<SessionId>, facts: ThreadFacts) {
        self.take(self.now, &Input::Threads(Arc::clone(session), facts));
    }

    pub(crate) fn interval_now(&mut self) -> Interval {
        self.take_interval(self.now)
    }

    pub(crate) fn summary_now(&self) -> Summary {
        self.summary(self.now)
    }

    pub(crate) const fn health(&mut self) -> &mut Health {
        &mut self.health
    }

    pub(crate) const fn set_now(&mut self, now: Moment) {
        self.now = now;
    }

    /// Bytes held for all sessions.
    pub(super) fn session_bytes(&self) -> usize {
        self.sessions.iter().map(Session::bytes).sum()
    }
}
