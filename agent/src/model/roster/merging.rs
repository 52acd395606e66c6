//! Merging ended sessions into others.

use std::sync::Arc;

use super::Roster;
use crate::model::{figures::SessionName, series::SessionSeries, session::Session};

impl Roster {
    /// Merges the session that ended first into another one, and returns its slot.
    pub(super) fn make_room(&mut self) -> Option<usize> {
        let (slot, _) = self
            .sessions
            .iter()
            .enumerate()
            .filter_map(|(slot, s)| Some((slot, (s.ended?.monotonic_ns, s.order))))
            .min_by_key(|&(_, ended)| ended)?;
        self.merge(slot);
        Some(slot)
    }

    /// Merges the sessions whose metrics have disappeared: a run of weeks must not retain every
    /// connection.
    pub(in crate::model) fn merge_ended(&mut self) {
        let mut slot = 0;
        while slot < self.sessions.len() {
            if !self.is_expired(&self.sessions[slot]) {
                slot += 1;
                continue;
            }
            self.merge(slot);
            self.sessions.swap_remove(slot);
            if let Some(id) = self.sessions.get(slot).and_then(Session::id) {
                self.slots.insert(Arc::clone(id), slot);
            }
        }
    }

    /// Adds the session in a slot to another one with its labels, or to the earlier ones. It is not
    /// registered any more.
    fn merge(&mut self, slot: usize) {
        let ended = self.sessions[slot].clone();
        if let Some(id) = ended.id() {
            self.slots.remove(id);
        }
        self.latest = None;
        let heir = self
            .sessions
            .iter_mut()
            .enumerate()
            .find(|(other, s)| {
                // Otherwise it would count twice in the metrics.
                let alike = s.series.aggregated == ended.series.aggregated;
                *other != slot && alike && s.labels() == ended.labels()
            })
            .map(|(_, s)| s);
        let since_ns = self.started.utc_ns;
        match heir {
            Some(heir) => heir.absorb(&ended),
            None => self
                .earlier
                .get_or_insert_with(|| {
                    let series = SessionSeries {
                        since_ns,
                        ..SessionSeries::default()
                    };
                    let earlier = Session::without_connections(SessionName::Earlier, series);
                    Box::new(earlier)
                })
                .absorb(&ended),
        }
    }
}
