//! Which sessions have series of their own in the metrics.

use std::{collections::HashSet, sync::Arc};

use super::{Roster, SERIES_GRACE};
use crate::{
    domain::SessionId,
    model::{
        figures::SessionName,
        series::{SessionLabels, SessionSeries, labels, listening_port},
        session::Session,
    },
};

impl Roster {
    pub(in crate::model) const fn set_max_series(&mut self, sessions: usize) {
        self.aggregation.max_series = sessions;
    }

    /// The number of sessions without series so far.
    pub(in crate::model) fn sessions_without_series(&self) -> u64 {
        self.aggregation.sessions + self.counted.len() as u64
    }

    /// The sums of the sessions without series.
    pub(in crate::model) fn aggregated(&self) -> Option<&Session> {
        self.aggregation.sum.as_deref()
    }

    /// As [`Self::aggregated`].
    pub(in crate::model) fn aggregated_mut(&mut self) -> Option<&mut Session> {
        self.aggregation.sum.as_deref_mut()
    }

    /// The sessions in the metrics: open ones, those that ended a short while ago, and ended ones
    /// with the labels of one of these, so that the sums under a set of labels never decrease.
    /// Groups come last.
    pub(in crate::model) fn with_metrics(&self) -> Vec<&Session> {
        let shown = self.labels_shown();
        let mut sessions: Vec<_> = self
            .all()
            .into_iter()
            .filter(|s| match s.name {
                SessionName::One(_) => !s.series.aggregated && shown.contains(&s.labels()),
                SessionName::Other => true,
                SessionName::Earlier => false,
            })
            .collect();
        sessions.extend(self.aggregated());
        sessions
    }

    /// The labels of the sessions with series.
    fn labels_shown(&self) -> HashSet<SessionLabels<'_>> {
        let current = self.sessions.iter().filter(|s| !self.is_expired(s));
        current
            .filter(|s| !s.series.aggregated)
            .map(Session::labels)
            .collect()
    }

    /// Whether a session ended so long ago that its metrics have disappeared.
    pub(super) fn is_expired(&self, session: &Session) -> bool {
        session.ended_before(self.now, SERIES_GRACE)
    }

    /// How a new session appears in the metrics.
    pub(super) fn new_series(&self, id: &Arc<SessionId>) -> SessionSeries {
        let earlier = self.sessions.iter().filter_map(|s| s.name.id());
        let port = Some(listening_port(id, earlier));
        let name = SessionName::One(Arc::clone(id));
        SessionSeries {
            port,
            aggregated: self.lacks_room(labels(&name, port)),
            since_ns: self.now.utc_ns,
        }
    }

    /// Whether there is no room for series with these labels.
    fn lacks_room(&self, labels: SessionLabels<'_>) -> bool {
        let shown = self.labels_shown();
        let mut same = self.sessions.iter().filter(|s| s.labels() == labels);
        // With series from now on, the session would look as if it had just begun.
        let was_aggregated = same.any(|s| s.series.aggregated);
        !shown.contains(&labels) && (was_aggregated || shown.len() >= self.aggregation.max_series)
    }

    /// A session that had ended goes on.
    pub(super) fn reopen(&mut self, slot: usize) {
        let session = &self.sessions[slot];
        let aggregates = !session.series.aggregated && self.lacks_room(session.labels());
        let session = &mut self.sessions[slot];
        session.ended = None;
        session.series.aggregated |= aggregates;
        self.aggregation.sessions += u64::from(aggregates);
    }
}
