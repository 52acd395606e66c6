//! What the following thread and the rest of the agent share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    failure::{ApiFailure, FailureKind},
    pod_table::PodTable,
};

/// The pods, and how following them goes.
#[derive(Debug, Default)]
pub(super) struct SharedPods {
    pub(super) pods: PodTable,
    /// Whether the pods are followed at the moment.
    pub(super) up: bool,
    /// Whether all pods have been listed at least once.
    pub(super) listed: bool,
    /// Failures since the start, in the order of [`FailureKind::ALL`].
    pub(super) failures: [u64; FailureKind::ALL.len()],
    /// The kinds of failures that have been logged.
    logged: [bool; FailureKind::ALL.len()],
}

impl SharedPods {
    /// Counts a failure, and logs the first one of its kind.
    pub(super) fn count(&mut self, failure: &ApiFailure) {
        let index = failure.kind as usize;
        self.failures[index] += 1;
        if !std::mem::replace(&mut self.logged[index], true)
            && let Some(message) = failure.message()
        {
            log::warn!("{message}");
        }
    }
}

/// Locks the shared pods. After a panic elsewhere their names are still the best there are.
pub(super) fn lock(shared: &Mutex<SharedPods>) -> MutexGuard<'_, SharedPods> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
