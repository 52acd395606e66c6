//! The aftermath of waits: run-queue and CPU time that a thread would not have had without them.

use agent_common::{RunQueueWait, ThreadState};

use super::ledger_table::LedgerTable;
use crate::domain::{Aftermath, CulpritId, Part};

/// Ledgers need a culprit; here it stands for the wait before.
const WAIT_BEFORE: CulpritId = CulpritId(1);

/// Aftermath by thread and kind of the wait before. [`Part::OnCpu`] stands for the retries within
/// lock waits.
#[derive(Debug, Default)]
pub(super) struct AftermathLedgers {
    pub(super) ledgers: LedgerTable,
}

impl AftermathLedgers {
    /// A wait for a CPU is over, of which the thread was not throttled for `ns`.
    pub(super) fn run_queue_wait(&mut self, wait: &RunQueueWait, ns: u64) {
        if let Some(before) = wait_before(wait) {
            let ledger = self.ledgers.ledger(wait.tid, before);
            ledger.add(WAIT_BEFORE, wait.from_ns, wait.to_ns, ns);
        }
    }

    /// The thread was awake between two sleeps of one lock wait. Its run-queue time in between is in
    /// the ledger of lock waits already.
    pub(super) fn lock_retry(&mut self, tid: u32, from: u64, to: u64) {
        let run_queue = self.between(tid, Part::LockWait, from, to);
        let ran = to.saturating_sub(from).saturating_sub(run_queue);
        let ledger = self.ledgers.ledger(tid, Part::OnCpu);
        ledger.add(WAIT_BEFORE, from, to, ran);
    }

    /// The aftermath of a thread in a stretch of time.
    pub(super) fn aftermath(&self, tid: u32, from: u64, to: u64) -> Aftermath {
        let after = |part| self.between(tid, part, from, to);
        Aftermath {
            lock_wait_ns: after(Part::LockWait),
            throttle_ns: after(Part::Throttle),
            blocked_ns: after(Part::Blocked),
            lock_retry_ns: after(Part::OnCpu),
        }
    }

    fn between(&self, tid: u32, part: Part, from: u64, to: u64) -> u64 {
        let ledger = self.ledgers.get(tid, part);
        let shares = ledger.map_or_else(Vec::new, |ledger| ledger.between(from, to));
        shares.iter().map(|share| share.ns).sum()
    }
}

/// The kind of the wait that a wait for the CPU followed; `None` when the thread was preempted.
fn wait_before(wait: &RunQueueWait) -> Option<Part> {
    const LOCK_WAIT: u32 = ThreadState::LockWait as u32;
    const BLOCKED: u32 = ThreadState::Blocked as u32;
    match wait.state_before {
        // Preempted or not: without the throttling it would not have waited after it.
        _ if wait.throttled_ns > 0 => Some(Part::Throttle),
        LOCK_WAIT => Some(Part::LockWait),
        BLOCKED => Some(Part::Blocked),
        _ => None,
    }
}
