//! Lock waits per session, from counters that are per thread.

use std::{collections::HashMap, sync::Arc};

use agent_common::TrackedThread;

use crate::domain::{LockWaitTotals, SessionId, Update};

#[derive(Clone, Copy, Debug)]
struct Account {
    tid: u32,
    /// The thread's count when it was last looked at.
    told: u64,
    facts: LockWaitTotals,
}

/// What has been counted per session.
#[derive(Debug, Default)]
pub(super) struct LockWaits {
    sessions: HashMap<Arc<SessionId>, Account>,
}

impl LockWaits {
    /// The session's reader was looked at: its facts since the session was first seen.
    pub(super) fn look(
        &mut self,
        session: &Arc<SessionId>,
        tid: u32,
        thread: &TrackedThread,
    ) -> LockWaitTotals {
        let account = self
            .sessions
            .entry(Arc::clone(session))
            .or_insert_with(|| Account {
                tid,
                told: 0,
                facts: LockWaitTotals::default(),
            });
        if account.tid != tid {
            account.tid = tid;
            account.told = thread.lock_waits;
        }
        account.facts.lock_waits += thread.lock_waits.saturating_sub(account.told);
        account.told = thread.lock_waits;
        let longest = &mut account.facts.longest_lock_wait_ns;
        *longest = (*longest).max(thread.lock_wait_longest_ns);
        account.facts
    }

    /// The session has ended.
    pub(super) fn forget_ended(&mut self, update: &Update) {
        if let Update::SessionEnded(session) = update {
            self.sessions.remove(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::session;

    #[test]
    fn a_session_that_moves_to_another_thread_counts_on() {
        let session = session(0);
        let mut waits = LockWaits::default();
        let mut thread = TrackedThread {
            lock_waits: 5,
            lock_wait_longest_ns: 70,
            ..TrackedThread::default()
        };
        assert_eq!(waits.look(&session, 1, &thread).lock_waits, 5);
        thread.lock_waits = 9;
        assert_eq!(waits.look(&session, 1, &thread).lock_waits, 9);
        thread.lock_waits = 100;
        assert_eq!(waits.look(&session, 2, &thread).lock_waits, 9);
        thread.lock_waits = 101;
        let facts = waits.look(&session, 2, &thread);
        assert_eq!((facts.lock_waits, facts.longest_lock_wait_ns), (10, 70));
    }
}
