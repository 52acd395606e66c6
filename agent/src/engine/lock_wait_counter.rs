//! Lock waits of each session, from counters of each thread.

use std::{collections::HashMap, sync::Arc};

use agent_common::TrackedThread;

use crate::domain::{LockWaitTotals, SessionId, Update};

#[derive(Clone, Copy, Debug)]
struct ReaderCount {
    tid: u32,
    /// The thread's lock waits at the last sample.
    counted: u64,
    totals: LockWaitTotals,
}

/// The lock waits of each session's reader, whichever threads that was.
#[derive(Debug, Default)]
pub(super) struct LockWaitCounter {
    sessions: HashMap<Arc<SessionId>, ReaderCount>,
}

impl LockWaitCounter {
    /// Adds the lock waits of a session's reader since the last sample; returns those since the session
    /// was first observed.
    pub(super) fn sample(
        &mut self,
        session: &Arc<SessionId>,
        tid: u32,
        thread: &TrackedThread,
    ) -> LockWaitTotals {
        let count = self
            .sessions
            .entry(Arc::clone(session))
            .or_insert_with(|| ReaderCount {
                tid,
                counted: 0,
                totals: LockWaitTotals::default(),
            });
        if count.tid != tid {
            count.tid = tid;
            count.counted = thread.lock_waits;
        }
        count.totals.lock_waits += thread.lock_waits.saturating_sub(count.counted);
        count.counted = thread.lock_waits;
        let longest = &mut count.totals.longest_lock_wait_ns;
        *longest = (*longest).max(thread.lock_wait_longest_ns);
        count.totals
    }

    /// Forgets the session of an update that ends it.
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
        let mut waits = LockWaitCounter::default();
        let mut thread = TrackedThread {
            lock_waits: 5,
            lock_wait_longest_ns: 70,
            ..TrackedThread::default()
        };
        assert_eq!(waits.sample(&session, 1, &thread).lock_waits, 5);
        thread.lock_waits = 9;
        assert_eq!(waits.sample(&session, 1, &thread).lock_waits, 9);
        thread.lock_waits = 100;
        assert_eq!(waits.sample(&session, 2, &thread).lock_waits, 9);
        thread.lock_waits = 101;
        let totals = waits.sample(&session, 2, &thread);
        assert_eq!((totals.lock_waits, totals.longest_lock_wait_ns), (10, 70));
    }
}
