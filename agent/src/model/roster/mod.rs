//! The sessions: which are counted apart, which count together, and which have series in the metrics.

mod merging;
mod metrics;

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use super::{
    figures::SessionName, processes::ProcessTable, series::SessionSeries, session::Session,
};
use crate::domain::{Moment, ProcessInfo, SessionId};

/// Sessions that are counted apart.
const MAX_SESSIONS: usize = 256;

/// Sessions beyond these whose ids are retained in order to count them.
const MAX_COUNTED: usize = 4096;

/// How long the metrics of a session outlive its socket: several scrapes at the usual intervals, so
/// that every scraper reads the final values.
const SERIES_GRACE: Duration = Duration::from_mins(2);

/// All sessions.
///
/// 256 of them are counted apart. A session beyond these takes the slot of the one that ended first,
/// which is merged into a session with the same labels or into [`SessionName::Earlier`]. When none
/// has ended, the new one counts under [`SessionName::Other`].
#[derive(Debug)]
pub(super) struct Roster {
    started: Moment,
    now: Moment,
    sessions: Vec<Session>,
    /// The slots of the sessions.
    slots: HashMap<Arc<SessionId>, usize>,
    /// The slot of the latest message: the next one is likely to be of the same session.
    latest: Option<(Arc<SessionId>, usize)>,
    other: Option<Box<Session>>,
    earlier: Option<Box<Session>>,
    /// Hashes of the sessions under [`SessionName::Other`].
    counted: HashSet<u64>,
    hasher: RandomState,
    /// Sessions that have had a slot so far.
    registered: u64,
    aggregation: Aggregation,
}

/// The sessions without series of their own in the metrics.
#[derive(Debug)]
struct Aggregation {
    /// The largest number of sessions with series.
    max_series: usize,
    /// Sums of the others.
    sum: Option<Box<Session>>,
    /// Number of the others so far.
    sessions: u64,
}

impl Roster {
    pub(super) fn new(started: Moment) -> Self {
        Self {
            started,
            now: started,
            sessions: Vec::new(),
            slots: HashMap::new(),
            latest: None,
            other: None,
            earlier: None,
            counted: HashSet::new(),
            hasher: RandomState::new(),
            registered: 0,
            aggregation: Aggregation {
                max_series: MAX_SESSIONS,
                sum: None,
                sessions: 0,
            },
        }
    }

    pub(super) const fn set_now(&mut self, now: Moment) {
        self.now = now;
    }

    /// The sessions that are counted apart, in no particular order.
    pub(super) fn single_sessions_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut()
    }

    /// The session's socket was closed. An unregistered session is ignored.
    pub(super) fn end(&mut self, session: &Arc<SessionId>) {
        let now = self.now;
        if let Some(&slot) = self.slots.get(session) {
            self.sessions[slot].ended.get_or_insert(now);
        }
    }

    /// Sets the process of the sessions that it reads. Ended sessions keep the one they had: the pid
    /// may have been reused.
    pub(super) fn set_process(&mut self, process: &Arc<ProcessInfo>) {
        for session in &mut self.sessions {
            if session.ended.is_none() && session.id().is_some_and(|id| id.pid == process.pid) {
                session.process = Some(Arc::clone(process));
            }
        }
    }

    /// Updates a session, and the sums in the metrics that it counts under when it has no series.
    pub(super) fn update(
        &mut self,
        id: &Arc<SessionId>,
        processes: &ProcessTable,
        update: impl Fn(&mut Session),
    ) {
        let session = self.session(id, processes);
        update(session);
        if session.series.aggregated {
            let since_ns = self.started.utc_ns;
            let sum = &mut self.aggregation.sum;
            update(sum.get_or_insert_with(|| group(SessionName::Other, since_ns)));
        }
    }

    /// The number of processes and of threads that read open sessions, of those counted apart.
    pub(super) fn readers(&self) -> (usize, usize) {
        let open = || self.sessions.iter().filter(|s| s.ended.is_none());
        let pids: HashSet<_> = open().filter_map(|s| Some(s.name.id()?.pid)).collect();
        let tids: HashSet<_> = open().filter_map(|s| s.tid).collect();
        (pids.len(), tids.len())
    }

    /// The number of open sessions; those beyond the limit count as one.
    pub(super) fn open(&self) -> usize {
        let open = self.sessions.iter().filter(|s| s.ended.is_none()).count();
        open + usize::from(self.other.is_some())
    }

    /// The number of sessions so far, those beyond the limit included.
    pub(super) fn observed(&self) -> u64 {
        self.registered + self.counted.len() as u64
    }

    /// The sessions in the order of first observation, then the groups.
    pub(super) fn all(&self) -> Vec<&Session> {
        let mut all: Vec<_> = self.sessions.iter().collect();
        all.sort_unstable_by_key(|s| s.order);
        all.extend(self.other.as_deref());
        all.extend(self.earlier.as_deref());
        all
    }

    /// As [`Self::all`].
    pub(super) fn all_mut(&mut self) -> Vec<&mut Session> {
        let mut all: Vec<_> = self.sessions.iter_mut().collect();
        all.sort_unstable_by_key(|s| s.order);
        all.extend(self.other.as_deref_mut());
        all.extend(self.earlier.as_deref_mut());
        all
    }

    /// The session of this id, or the group that it counts under.
    pub(super) fn session(
        &mut self,
        id: &Arc<SessionId>,
        processes: &ProcessTable,
    ) -> &mut Session {
        let latest = match &self.latest {
            Some((latest, slot)) if Arc::ptr_eq(latest, id) => Some(*slot),
            _ => None,
        };
        match latest.or_else(|| self.slot(id, processes)) {
            Some(slot) => {
                if latest.is_none() {
                    self.latest = Some((Arc::clone(id), slot));
                }
                if self.sessions[slot].ended.is_some() && self.is_expired(&self.sessions[slot]) {
                    // The same addresses again: the session goes on.
                    self.reopen(slot);
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

    /// The slot of a session, which is registered if there is room.
    fn slot(&mut self, id: &Arc<SessionId>, processes: &ProcessTable) -> Option<usize> {
        if let Some(&slot) = self.slots.get(id) {
            return Some(slot);
        }
        let slot = if self.sessions.len() < MAX_SESSIONS {
            self.sessions.len()
        } else {
            self.make_room()?
        };
        let series = self.new_series(id);
        self.aggregation.sessions += u64::from(series.aggregated);
        let mut session = Session::new(SessionName::One(Arc::clone(id)), self.registered, series);
        session.process = processes.get(id.pid).map(Arc::clone);
        self.registered += 1;
        if slot == self.sessions.len() {
            self.sessions.push(session);
        } else {
            self.sessions[slot] = session;
        }
        self.slots.insert(Arc::clone(id), slot);
        Some(slot)
    }

    /// Bytes held for all sessions.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.sessions.iter().map(Session::bytes).sum()
    }
}

/// An empty group.
fn group(name: SessionName, since_ns: i64) -> Box<Session> {
    let series = SessionSeries {
        since_ns,
        ..SessionSeries::default()
    };
    Box::new(Session::new(name, 0, series))
}
