//! What the threads of one socket have received and not handed off.

use std::sync::Arc;

use agent_common::Snapshot;

use crate::{
    domain::{ExclusionReason, HandOff, SessionId, Update},
    join::pending_batch::PendingBatch,
};

/// Threads of one socket with pending messages; no sane program has more.
const MAX_THREADS: usize = 64;

/// The pending batch of each thread that reads the socket, by tid.
#[derive(Debug, Default)]
pub(super) struct PendingBatches {
    batches: Vec<(u32, PendingBatch)>,
    unmatched_hand_offs: u64,
}

impl PendingBatches {
    /// The batch of a thread that has one.
    pub(super) fn get_mut(&mut self, tid: u32) -> Option<&mut PendingBatch> {
        let mut batches = self.batches.iter_mut();
        batches.find(|b| b.0 == tid).map(|b| &mut b.1)
    }

    /// The batch of a thread, to read.
    pub(super) fn get(&self, tid: u32) -> Option<&PendingBatch> {
        let mut batches = self.batches.iter();
        batches.find(|b| b.0 == tid).map(|b| &b.1)
    }

    /// The batch of a thread, a new one if need be; `None` when too many threads have one.
    pub(super) fn get_or_insert(&mut self, tid: u32) -> Option<&mut PendingBatch> {
        let registered = self.batches.iter().position(|b| b.0 == tid);
        if registered.is_none() && self.batches.len() >= MAX_THREADS {
            return None;
        }
        let index = registered.unwrap_or_else(|| {
            self.batches.push((tid, PendingBatch::default()));
            self.batches.len() - 1
        });
        self.batches.get_mut(index).map(|b| &mut b.1)
    }

    /// Records about the socket were lost: how the pending batches end was not observed.
    pub(super) fn events_lost(&mut self) {
        for (_, batch) in &mut self.batches {
            batch.events_lost();
        }
    }

    /// The thread of `end` is through with its batch. `by_function` says whether the hand-off
    /// function is attached. Returns whether there was anything to hand off.
    pub(super) fn hand_off(
        &mut self,
        end: &Snapshot,
        how: HandOff,
        by_function: bool,
        session: &Arc<SessionId>,
        emit: &mut dyn FnMut(Update),
    ) -> bool {
        let Some(batch) = self.get_mut(end.tid) else {
            return false;
        };
        let any = !batch.is_empty();
        let unmatched = batch.handed_off(end, how, by_function, session, |message| {
            emit(match message {
                Ok(message) => Update::Message(Box::new(message)),
                Err(_) => Update::Excluded(Arc::clone(session), ExclusionReason::Unbalanced),
            });
        });
        self.unmatched_hand_offs += unmatched;
        any
    }

    /// Drops the batch of a thread that has ended.
    pub(super) fn remove(&mut self, tid: u32) {
        self.batches.retain(|b| b.0 != tid);
    }

    /// The threads that have a batch.
    pub(super) fn threads(&self) -> Vec<u32> {
        self.batches.iter().map(|b| b.0).collect()
    }

    /// Messages so far whose calls of the hand-off function could not be matched: they end with
    /// their batch.
    pub(super) const fn unmatched_hand_offs(&self) -> u64 {
        self.unmatched_hand_offs
    }
}
