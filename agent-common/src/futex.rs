//! Which futex(2) calls wait for a lock and which release one.

use crate::{
    TrackedThread,
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
}
