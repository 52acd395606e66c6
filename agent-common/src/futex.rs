//! Which futex(2) calls wait for a lock and which release one.

use crate::{
    MIN_RECORDED_WAIT_NS, TrackedThread,
    syscall::{Syscall, nr},
};

/// include/uapi/linux/futex.h: the operation without `FUTEX_PRIVATE_FLAG`, `FUTEX_CLOCK_REALTIME`.
const OPERATION: u64 = 127;
const PRIVATE_FLAG: u64 = 128;
const FUTEX_WAKE: u64 = 1;
const FUTEX_REQUEUE: u64 = 3;
const FUTEX_CMP_REQUEUE: u64 = 4;
const FUTEX_WAKE_OP: u64 = 5;
const FUTEX_UNLOCK_PI: u64 = 7;
const FUTEX_WAKE_BITSET: u64 = 10;
const FUTEX_CMP_REQUEUE_PI: u64 = 12;

impl Syscall {
    /// Whether a sleep in this call is a wait for a lock. Every futex(2) operation that sleeps is
    /// one.
    #[inline(always)]
    #[must_use]
    pub const fn is_futex_wait(&self) -> bool {
        self.number == nr::FUTEX || self.number == nr::FUTEX_WAIT || self.number == nr::FUTEX_WAITV
    }

    /// Whether a wake-up in this call is the release of a lock: a wake, a requeue or a PI unlock.
    #[inline(always)]
    #[must_use]
    pub const fn is_futex_release(&self) -> bool {
        if self.number == nr::FUTEX_WAKE || self.number == nr::FUTEX_REQUEUE {
            return true;
        }
        if self.number != nr::FUTEX {
            return false;
        }
        let operation = self.args[1] & OPERATION;
        operation == FUTEX_WAKE
            || operation == FUTEX_WAKE_BITSET
            || operation == FUTEX_WAKE_OP
            || operation == FUTEX_REQUEUE
            || operation == FUTEX_CMP_REQUEUE
            || operation == FUTEX_CMP_REQUEUE_PI
            || operation == FUTEX_UNLOCK_PI
    }

    /// Whether it is a futex(2) call with a timeout on a futex that no other process shares.
    #[inline(always)]
    #[must_use]
    pub const fn is_timed_private_futex(&self) -> bool {
        self.number == nr::FUTEX && self.args[3] != 0 && self.args[1] & PRIVATE_FLAG != 0
    }

    /// Whether the call's futex is `address`, or belongs to the same condition variable.
    ///
    /// A condition variable has two futex words side by side and uses them in turn (glibc
    /// nptl/pthread_cond_wait.c, `__g_signals`).
    #[inline(always)]
    #[must_use]
    pub const fn is_on_futex(&self, address: u64) -> bool {
        self.args[0] & !7 == address & !7
    }
}

impl TrackedThread {
    /// Whether `call`, a release by a thread of process `tgid`, can be one of the lock that this
    /// thread waits for.
    ///
    /// A wait with a timeout is ended by a call on its own futex only: its timer fires in an
    /// interrupt on top of whatever runs, which can be a thread in a release of another lock.
    #[inline(always)]
    #[must_use]
    pub const fn can_be_released_by(&self, call: &Syscall, tgid: u32) -> bool {
        self.lock_wait_timed == 0 || tgid == self.tgid && call.is_on_futex(self.lock_address)
    }
}

impl TrackedThread {
    /// Whether a sleep in `call` goes on with the lock wait that is open: it waits on the same
    /// address.
    #[inline(always)]
    #[must_use]
    pub const fn lock_wait_goes_on(&self, call: &Syscall) -> bool {
        call.is_futex_wait() && self.lock_address == call.args[0]
    }

    /// A lock wait in `call` begins.
    #[inline(always)]
    pub const fn begin_lock_wait(&mut self, call: &Syscall, now_ns: u64) {
        self.lock_address = call.args[0];
        self.lock_wait_from_ns = now_ns;
        self.lock_wait_open = 1;
        self.lock_wait_slept_ns = 0;
        self.lock_wait_timed = call.is_timed_private_futex() as u32;
    }

    /// The lock wait that is open ends, with a sleep from `from_ns` to `now_ns`. Whether all its
    /// sleeps together are long enough for a record.
    #[inline(always)]
    #[must_use]
    pub const fn end_lock_wait(&mut self, from_ns: u64, now_ns: u64) -> bool {
        let lasted_ns = now_ns.saturating_sub(self.lock_wait_from_ns);
        self.lock_waits += 1;
        if lasted_ns > self.lock_wait_longest_ns {
            self.lock_wait_longest_ns = lasted_ns;
        }
        self.lock_wait_open = 0;
        self.lock_wait_slept_ns + (now_ns - from_ns) >= MIN_RECORDED_WAIT_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn futex(operation: u64, timeout: u64) -> Syscall {
        Syscall {
            number: nr::FUTEX,
            args: [0x7f00_1000, operation, 1, timeout],
        }
    }

    #[test]
    fn releases_are_wakes_requeues_and_pi_unlocks() {
        // include/uapi/linux/futex.h: FUTEX_WAIT 0, _WAKE 1, _FD 2, _REQUEUE 3, _CMP_REQUEUE 4,
        // _WAKE_OP 5, _LOCK_PI 6, _UNLOCK_PI 7, _TRYLOCK_PI 8, _WAIT_BITSET 9, _WAKE_BITSET 10,
        // _WAIT_REQUEUE_PI 11, _CMP_REQUEUE_PI 12, _LOCK_PI2 13.
        let releases = [1, 3, 4, 5, 7, 10, 12];
        for operation in 0..14 {
            for flags in [0, 128, 256, 128 | 256] {
                let call = futex(operation | flags, 0);
                assert_eq!(
                    call.is_futex_release(),
                    releases.contains(&operation),
                    "{operation}"
                );
                assert!(call.is_futex_wait());
            }
        }
    }

    #[test]
    fn the_newer_calls_have_numbers_of_their_own() {
        let call = |number| Syscall {
            number,
            args: [0, 1, 0, 0],
        };
        for (number, waits, releases) in [
            (nr::FUTEX_WAIT, true, false),
            (nr::FUTEX_WAITV, true, false),
            (nr::FUTEX_WAKE, false, true),
            (nr::FUTEX_REQUEUE, false, true),
            (nr::READ, false, false),
            (-1, false, false),
        ] {
            let call = call(number);
            assert_eq!(call.is_futex_wait(), waits, "{number}");
            assert_eq!(call.is_futex_release(), releases, "{number}");
            assert!(!call.is_timed_private_futex());
        }
    }

    #[test]
    fn a_timed_private_wait_has_both() {
        assert!(futex(128, 1).is_timed_private_futex());
        assert!(futex(9 | 128 | 256, 1).is_timed_private_futex());
        assert!(!futex(128, 0).is_timed_private_futex());
        assert!(!futex(0, 1).is_timed_private_futex());
    }

    #[test]
    fn the_words_of_one_condition_variable_are_one_lock() {
        let call = futex(1, 0);
        assert!(call.is_on_futex(0x7f00_1000) && call.is_on_futex(0x7f00_1004));
        assert!(!call.is_on_futex(0x7f00_1008) && !call.is_on_futex(0x7f00_0ffc));
    }

    #[test]
    fn a_timed_wait_is_released_on_its_own_futex_only() {
        let mut thread = TrackedThread {
            tgid: 7,
            lock_address: 0x7f00_1004,
            ..TrackedThread::default()
        };
        let (own, other) = (
            futex(1, 0),
            Syscall {
                args: [0x10, 1, 1, 0],
                ..futex(1, 0)
            },
        );
        assert!(thread.can_be_released_by(&other, 8));
        thread.lock_wait_timed = 1;
        assert!(thread.can_be_released_by(&own, 7));
        assert!(!thread.can_be_released_by(&own, 8));
        assert!(!thread.can_be_released_by(&other, 7));
    }

    #[test]
    fn sleeps_on_one_address_are_one_lock_wait() {
        let mut thread = TrackedThread::default();
        let call = futex(9 | 128, 1);
        thread.begin_lock_wait(&call, 1_000);
        assert_eq!((thread.lock_wait_open, thread.lock_wait_timed), (1, 1));
        assert!(thread.lock_wait_goes_on(&call));
        let mut other = call;
        other.args[0] += 4;
        assert!(!thread.lock_wait_goes_on(&other));
        let number = nr::READ;
        assert!(!thread.lock_wait_goes_on(&Syscall { number, ..call }));
        // 15 us asleep before, and 5 us in the last sleep.
        thread.lock_wait_slept_ns = 15_000;
        assert!(thread.end_lock_wait(40_000, 45_000));
        assert_eq!((thread.lock_wait_open, thread.lock_waits), (0, 1));
        assert_eq!(thread.lock_wait_longest_ns, 44_000);
    }

    #[test]
    fn a_short_lock_wait_is_counted_and_not_recorded() {
        let mut thread = TrackedThread {
            lock_wait_longest_ns: 50_000,
            ..TrackedThread::default()
        };
        thread.begin_lock_wait(&futex(0, 0), 1_000);
        assert_eq!(thread.lock_wait_timed, 0);
        assert!(!thread.end_lock_wait(1_000, 20_999));
        assert_eq!(
            (thread.lock_waits, thread.lock_wait_longest_ns),
            (1, 50_000)
        );
    }
}
