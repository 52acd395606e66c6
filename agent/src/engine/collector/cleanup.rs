//! Forgetting what is gone, also where the record of its end was lost.

use std::{collections::BTreeSet, mem};

use super::Collector;

/// What the next clean-up needs.
#[derive(Debug, Default)]
pub(super) struct Cleanup {
    /// Threads that are attributed something and were no longer tracked at the last clean-up.
    untracked_threads: BTreeSet<u32>,
    lifecycle_records_lost: u64,
    runs_missed: u64,
    /// Ends of sockets may have been lost since the last clean-up.
    ends_lost: bool,
}

impl Cleanup {
    /// So many records of sockets or threads that came or went were lost so far.
    pub(super) const fn lifecycle_records_lost(&mut self, n: u64) {
        self.ends_lost |= mem::replace(&mut self.lifecycle_records_lost, n) != n;
    }

    /// So many runs of probes were missed so far.
    pub(super) const fn runs_missed(&mut self, n: u64) {
        self.ends_lost |= mem::replace(&mut self.runs_missed, n) != n;
    }
}

impl Collector {
    /// Forgets what no update will be about any more.
    pub(super) fn clean_up(&mut self) {
        let now = self.clock.moment();
        self.attribution.forget_before(now.monotonic_ns);
        let tids: BTreeSet<u32> = self.attribution.tids().collect();
        let untracked = tids
            .into_iter()
            .filter(|&tid| self.probes.thread(tid).is_none());
        let untracked: BTreeSet<u32> = untracked.collect();
        // Those that were untracked the last time already: their last records have been drained.
        for tid in untracked.intersection(&self.cleanup.untracked_threads) {
            self.attribution.thread_ended(*tid);
        }
        self.cleanup.untracked_threads = untracked;
        if mem::take(&mut self.cleanup.ends_lost) {
            self.close_lost_sockets();
        }
    }

    /// Closes the sockets that the probes no longer watch.
    fn close_lost_sockets(&mut self) {
        let open = match self.probes.sockets() {
            Ok(open) => open,
            Err(error) => {
                log::warn!("sessions that have ended may be shown as open: {error}");
                return;
            }
        };
        let now = self.clock.moment();
        self.close_sockets(now, |sockets, emit| {
            sockets.retain_sockets(&open, now.monotonic_ns, emit);
        });
    }
}
