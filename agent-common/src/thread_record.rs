//! Records about tracked threads.

use crate::record::{RecordHead, Snapshot};

/// Changes of state in the history of one thread; a power of two.
pub const HISTORY_CHANGES: usize = 16;

/// The end of a stretch that a thread spent in one state.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct StateChange {
    /// When it ended; the next one began there.
    pub at_ns: u64,
    /// The throttled part of it, ns, times 8, plus the [`ThreadState`] it was spent in.
    pub packed: u64,
}

impl StateChange {
    /// The end, at `at_ns`, of a stretch in `state`, of which it was throttled for `throttled_ns`.
    #[must_use]
    #[inline(always)]
    pub const fn new(at_ns: u64, state: u32, throttled_ns: u64) -> Self {
        Self {
            at_ns,
            packed: throttled_ns << 3 | (state & 7) as u64,
        }
    }

    /// The number of the [`ThreadState`].
    #[must_use]
    #[inline(always)]
    pub const fn state(&self) -> u32 {
        (self.packed & 7) as u32
    }

    /// The throttled part, ns.
    #[must_use]
    pub const fn throttled_ns(&self) -> u64 {
        self.packed >> 3
    }
}

/// The last changes of state of a thread; sent as it is when a socket gets a new reader, because
/// the arrivals so far carry no snapshots of that thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ReaderHistory {
    /// The head.
    pub head: RecordHead,
    /// When the thread was tracked from, with all its counters at 0.
    pub began_ns: u64,
    /// The thread.
    pub tid: u32,
    /// Changes so far, modulo 2^32; this number modulo [`HISTORY_CHANGES`] is where the next one
    /// goes.
    pub next: u32,
    /// The last changes; `at_ns` is 0 in those that were never written. The first of all ends no
    /// stretch: it is when tracking began.
    pub changes: [StateChange; HISTORY_CHANGES],
}

impl ReaderHistory {
    /// Appends the end, at `at_ns`, of a stretch in `state`, of which it was throttled for `throttled_ns`.
    #[inline(always)]
    pub const fn push(&mut self, at_ns: u64, state: u32, throttled_ns: u64) {
        let next = self.next;
        self.changes[next as usize % HISTORY_CHANGES] =
            StateChange::new(at_ns, state, throttled_ns);
        self.next = next.wrapping_add(1);
    }

    /// The state of the stretch that ended `ago` changes ago; the last one is 1 ago.
    #[inline(always)]
    #[must_use]
    pub const fn state_before(&self, ago: u32) -> u32 {
        self.changes[self.next.wrapping_sub(ago) as usize % HISTORY_CHANGES].state()
    }
}

/// The function named with `--handoff` was called (or returned).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FunctionCalled {
    /// The head; no socket.
    pub head: RecordHead,
    /// The calling thread's counters; its `at_ns` is the instant.
    pub caller: Snapshot,
}

/// A tracked thread ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadExited {
    /// The head; no socket.
    pub head: RecordHead,
    /// Its counters, as far as they could be read; its `at_ns` is the instant.
    pub last: Snapshot,
    /// The thread.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
}

const _: () = {
    assert!(size_of::<FunctionCalled>() == 16 + size_of::<Snapshot>());
    assert!(size_of::<ThreadExited>() == 16 + size_of::<Snapshot>() + 8);
};
const _: () = assert!(size_of::<ReaderHistory>() == 16 + 8 + 8 + 16 * HISTORY_CHANGES);

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_change_holds_its_state_and_throttled_time(at: u64, state in 0u32..6, throttled in 0u64..1 << 61) {
            let change = StateChange::new(at, state, throttled);
            prop_assert_eq!((change.at_ns, change.state(), change.throttled_ns()), (at, state, throttled));
        }

        #[test]
        fn a_history_holds_the_last_changes(states in prop::collection::vec(0u32..6, 1..50), next: u32) {
            let mut history = ReaderHistory { next, ..ReaderHistory::default() };
            for (at, &state) in states.iter().enumerate() {
                history.push(at as u64, state, 0);
            }
            let held = states.len().min(HISTORY_CHANGES);
            let back: Vec<_> = (1..=held as u32).map(|ago| history.state_before(ago)).collect();
            let expected: Vec<_> = states.iter().rev().take(held).copied().collect();
            prop_assert_eq!(back, expected);
        }
    }
}
