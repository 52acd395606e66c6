//! A model for tests.

use std::sync::Arc;

use super::{Interval, Model, Summary};
use crate::domain::{
    ExclusionReason, Health, LockWaitTotals, Message, Moment, SessionId, TapCounts, Update,
};

/// Time stands still in the model unless a test sets it.
impl Model {
    pub(crate) fn at_zero() -> Self {
        Self::new(Moment::default())
    }

    pub(crate) fn observe(&mut self, message: &Message) {
        self.apply(self.now, &Update::Message(Box::new(message.clone())));
    }

    pub(crate) fn exclude(&mut self, session: &Arc<SessionId>, why: ExclusionReason) {
        self.apply(self.now, &Update::Excluded(Arc::clone(session), why));
    }

    pub(crate) fn tap(&mut self, session: &Arc<SessionId>, counts: TapCounts) {
        self.apply(self.now, &Update::Tap(Arc::clone(session), counts));
    }

    pub(crate) fn end_session(&mut self, session: &Arc<SessionId>) {
        self.apply(self.now, &Update::SessionEnded(Arc::clone(session)));
    }

    pub(crate) fn set_lock_waits(&mut self, session: &Arc<SessionId>, totals: LockWaitTotals) {
        self.apply(self.now, &Update::LockWaits(Arc::clone(session), totals));
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
        self.sessions.set_now(now);
    }

    /// Bytes held for all sessions.
    pub(super) fn session_bytes(&self) -> usize {
        self.sessions.bytes()
    }
}
