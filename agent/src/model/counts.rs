//! Cumulative counts of a connection, over reconnects and by interval.

use crate::domain::{LockWaitTotals, WindowClosures};

/// The lock waits of a session's reader.
#[derive(Clone, Debug, Default)]
pub(super) struct LockWaitCounts {
    current: LockWaitTotals,
    /// Of connections that were merged into this session.
    merged: LockWaitTotals,
    /// Number of waits that earlier intervals have reported.
    reported: u64,
}

impl LockWaitCounts {
    pub(super) const fn set(&mut self, totals: LockWaitTotals) {
        self.current = totals;
    }

    /// The waits of all connections.
    pub(super) fn totals(&self) -> LockWaitTotals {
        let (current, merged) = (&self.current, &self.merged);
        LockWaitTotals {
            lock_waits: current.lock_waits + merged.lock_waits,
            longest_lock_wait_ns: current
                .longest_lock_wait_ns
                .max(merged.longest_lock_wait_ns),
        }
    }

    /// The number of waits since the last call.
    pub(super) fn take_interval(&mut self) -> u64 {
        let waits = self.totals().lock_waits;
        let before = std::mem::replace(&mut self.reported, waits);
        waits.saturating_sub(before)
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        let theirs = other.totals();
        self.merged.lock_waits += theirs.lock_waits;
        self.merged.longest_lock_wait_ns = self
            .merged
            .longest_lock_wait_ns
            .max(theirs.longest_lock_wait_ns);
        self.reported += other.reported;
    }
}

/// The closures of our receive window.
#[derive(Clone, Debug, Default)]
pub(super) struct WindowCounts {
    current: WindowClosures,
    /// Of connections that were merged into this session.
    merged: WindowClosures,
    /// What earlier intervals have reported.
    reported: WindowClosures,
}

impl WindowCounts {
    pub(super) fn set(&mut self, closures: &WindowClosures) {
        if closures.closed < self.current.closed {
            // Another connection with the same addresses counts from 0.
            let before = self.current;
            self.merged.absorb(&before);
        }
        self.current = *closures;
    }

    /// The closures of all connections.
    pub(super) fn totals(&self) -> WindowClosures {
        let mut all = self.current;
        all.absorb(&self.merged);
        all
    }

    /// The closures since the last call.
    pub(super) fn take_interval(&mut self) -> WindowClosures {
        let totals = self.totals();
        let closures = totals.since(&self.reported);
        self.reported = totals;
        closures
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.merged.absorb(&other.totals());
        self.reported.absorb(&other.reported);
    }
}
