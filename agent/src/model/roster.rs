//! The sessions: which are kept apart, which count together, and which have series in the metrics.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use super::{
    figures::SessionName,
    series::{self, Labels, Series},
    session::Session,
};
use crate::domain::{Moment, ProcessInfo, SessionId};

/// Sessions kept apart from each other.
const MAX_SESSIONS: usize = 256;
/// How many of the sessions beyond these are told apart in order to count them.
const MAX_COUNTED: usize = 4096;
/// Processes of which more is kept than their sessions.
pub(super) const MAX_PROCESSES: usize = 1024;
/// How long the metrics of a session outlive its socket: several scrapes at the usual intervals, so
/// that every scraper reads the final values.
const SERIES_GRACE: Duration = Duration::from_secs(120);

/// All sessions, and what is known of the processes that read them.
///
/// Of these 256 are kept apart. A session beyond them takes the place of the one that ended first,
/// which then counts under a session of the same labels, or under [`SessionName::Earlier`]; when
/// none has ended, it counts under [`SessionName::Other`].
#[derive(Debug)]
pub(super) struct Roster {
    started: Moment,
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
    processes: BTreeMap<u32, Arc<ProcessInfo>>,
    /// Sessions with series of their own in the metrics, at the most.
    most_series: usize,
    /// What sessions without count there, together.
    folded: Option<Box<Session>>,
    /// How many there were.
    folded_sessions: u64,
}

impl Roster {
    pub(super) fn new(started: Moment) -> Self {
        Self {
            started,
            now: started,
            sessions: Vec::new(),
            index: HashMap::new(),
            latest: None,
            other: None,
            earlier: None,
            counted: HashSet::new(),
            hasher: RandomState::new(),
            born: 0,
            processes: BTreeMap::new(),
            most_series: MAX_SESSIONS,
            folded: None,
            folded_sessions: 0,
        }
    }

    /// It is `now`.
    pub(super) const fn at(&mut self, now: Moment) {
        self.now = now;
    }

    pub(super) const fn set_max_series(&mut self, sessions: usize) {
        self.most_series = sessions;
    }

    pub(super) fn folded_count(&self) -> u64 {
        self.folded_sessions + self.counted.len() as u64
    }

    /// Where sessions without series count.
    pub(super) fn folded(&self) -> Option<&Session> {
        self.folded.as_deref()
    }

    /// The same.
    pub(super) fn folded_mut(&mut self) -> Option<&mut Session> {
        self.folded.as_deref_mut()
    }

    /// Those kept apart, in no order.
    pub(super) fn apart(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut()
    }

    /// The session's socket was closed. Unknown sessions are ignored.
    pub(super) fn end(&mut self, session: &Arc<SessionId>) {
        let now = self.now;
        if let Some(&slot) = self.index.get(session) {
            self.sessions[slot].ended.get_or_insert(now);
        }
    }

    pub(super) fn process(&self, pid: u32) -> Option<&Arc<ProcessInfo>> {
        self.processes.get(&pid)
    }

    /// By pid.
    pub(super) fn processes(&self) -> impl Iterator<Item = &ProcessInfo> {
        self.processes.values().map(|facts| &**facts)
    }

    pub(super) fn process_ended(&mut self, pid: u32) {
        self.processes.remove(&pid);
    }

    pub(super) fn process_is(&mut self, facts: &ProcessInfo) {
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

    /// Tells a session, and where it counts in the metrics when it has no series there.
    pub(super) fn tell(&mut self, id: &Arc<SessionId>, what: impl Fn(&mut Session)) {
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

    /// The sessions with metrics: those open, those that ended a short while ago, and ended ones
    /// whose labels one of these bears, so that the sums under a label set never fall. What has no
    /// series of its own comes last, as groups.
    pub(super) fn with_metrics(&self) -> Vec<&Session> {
        let shown = self.labels_shown();
        let mut sessions: Vec<_> = self
            .all()
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

    /// How many processes and threads read open sessions, of those kept apart.
    pub(super) fn readers(&self) -> (usize, usize) {
        let open = || self.sessions.iter().filter(|s| s.ended.is_none());
        let pids: HashSet<_> = open().filter_map(|s| Some(s.name.id()?.pid)).collect();
        let tids: HashSet<_> = open().filter_map(|s| s.tid).collect();
        (pids.len(), tids.len())
    }

    /// Sessions that are open, those beyond the limit as one.
    pub(super) fn open(&self) -> usize {
        let open = self.sessions.iter().filter(|s| s.ended.is_none()).count();
        open + usize::from(self.other.is_some())
    }

    /// Ever, those beyond the limit too.
    pub(super) fn seen(&self) -> u64 {
        self.born + self.counted.len() as u64
    }

    /// In the order of first sight, then the groups.
    pub(super) fn all(&self) -> Vec<&Session> {
        let mut all: Vec<_> = self.sessions.iter().collect();
        all.sort_unstable_by_key(|s| s.born);
        all.extend(self.other.as_deref());
        all.extend(self.earlier.as_deref());
        all
    }

    /// The same.
    pub(super) fn all_mut(&mut self) -> Vec<&mut Session> {
        let mut all: Vec<_> = self.sessions.iter_mut().collect();
        all.sort_unstable_by_key(|s| s.born);
        all.extend(self.other.as_deref_mut());
        all.extend(self.earlier.as_deref_mut());
        all
    }

    /// The session with this name, or where it counts.
    pub(super) fn session(&mut self, id: &Arc<SessionId>) -> &mut Session {
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

    /// Folds the sessions whose metrics are gone: a watch that goes on for weeks must not keep
    /// every connection.
    pub(super) fn fold_ended(&mut self) {
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

    /// Bytes held for all of them.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.sessions.iter().map(Session::bytes).sum()
    }

    /// Adds the session in a slot to another with its labels, or to the earlier ones; it is not
    /// found any more.
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

/// Several sessions as one.
fn group(name: SessionName, since_ns: i64) -> Box<Session> {
    let series = Series {
        since_ns,
        ..Series::default()
    };
    Box::new(Session::new(name, 0, series))
}
