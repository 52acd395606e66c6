//! The ledgers of all tracked threads.

use std::collections::HashMap;

use super::ledger::Ledger;
use crate::domain::Part;

/// Ledgers by thread and part.
#[derive(Debug, Default)]
pub(super) struct LedgerTable(HashMap<(u32, Part), Ledger>);

impl LedgerTable {
    /// The ledger of a thread and part, if it has any wait.
    pub(super) fn get(&self, tid: u32, part: Part) -> Option<&Ledger> {
        self.0.get(&(tid, part))
    }

    /// The ledger of a thread and part, to add a wait to.
    pub(super) fn ledger(&mut self, tid: u32, part: Part) -> &mut Ledger {
        self.0.entry((tid, part)).or_default()
    }

    /// The threads with a ledger; a thread appears once for each part.
    pub(super) fn tids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.keys().map(|&(tid, _)| tid)
    }

    /// Forgets what ended before an instant, `CLOCK_MONOTONIC` nanoseconds.
    pub(super) fn forget_before(&mut self, before: u64) {
        self.0.retain(|_, ledger| {
            ledger.forget_before(before);
            !ledger.is_empty()
        });
    }

    pub(super) fn thread_ended(&mut self, tid: u32) {
        self.0.retain(|&(of, _), _| of != tid);
    }
}
