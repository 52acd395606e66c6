//! Lock waits: sleeps in futex(2), timed waits joined.
//!
//! CPython waits for its interpreter lock in a loop of timed waits; consecutive waits on one
//! address that ended by their timer are one wait, unless the thread had the lock in between:
//! nobody wakes it for a lock that it finds free. Whether a wake-up is a release is told from the
//! waker: a release is a futex wake (or requeue, or PI unlock) system call of the current thread, a
//! timer fires in an interrupt on top of whatever runs. As that can be a thread in such a call of
//! its own, a wait with a timeout is only ended by a call on its own futex.

use agent_common::{MIN_RECORDED_WAIT_NS, SleepEnded, ThreadState, TrackedThread};
use aya_ebpf::helpers::generated::bpf_get_current_task_btf;

use crate::{
    arch::{self, Syscall, nr},
    current::current,
    globals::TRACK_HOLDERS,
    thread, wait,
};

/// include/uapi/linux/futex.h: the operation without `FUTEX_PRIVATE_FLAG`, `FUTEX_CLOCK_REALTIME`.
const OPERATION: u64 = 127;
const PRIVATE: u64 = 128;
const FUTEX_WAKE: u64 = 1;
const FUTEX_REQUEUE: u64 = 3;
const FUTEX_CMP_REQUEUE: u64 = 4;
const FUTEX_WAKE_OP: u64 = 5;
const FUTEX_UNLOCK_PI: u64 = 7;
const FUTEX_WAKE_BITSET: u64 = 10;
const FUTEX_CMP_REQUEUE_PI: u64 = 12;

#[inline(always)]
fn is_wait(number: i64) -> bool {
    number == nr::FUTEX || number == nr::FUTEX_WAIT || number == nr::FUTEX_WAITV
}

#[inline(always)]
fn is_release(call: &Syscall) -> bool {
    if call.number == nr::FUTEX_WAKE || call.number == nr::FUTEX_REQUEUE {
        return true;
    }
    if call.number != nr::FUTEX {
        return false;
    }
    let operation = call.args[1] & OPERATION;
    operation == FUTEX_WAKE
        || operation == FUTEX_WAKE_BITSET
        || operation == FUTEX_WAKE_OP
        || operation == FUTEX_REQUEUE
        || operation == FUTEX_CMP_REQUEUE
        || operation == FUTEX_CMP_REQUEUE_PI
        || operation == FUTEX_UNLOCK_PI
}

/// Whether `call` waits for so long at the most, on a futex that is no other process's.
#[inline(always)]
fn is_timed_and_private(call: &Syscall) -> bool {
    call.number == nr::FUTEX && call.args[3] != 0 && call.args[1] & PRIVATE != 0
}

/// Whether `call`, a release by a thread of process `tgid`, can be one of what the thread waits
/// for.
#[inline(always)]
fn releases(thread: &TrackedThread, call: &Syscall, tgid: u32) -> bool {
    thread.lock_wait_timed == 0
        || tgid == thread.tgid && pair(call.args[0]) == pair(thread.lock_address)
}

/// The wait in progress ends here, with a sleep that began at `from` (or after its last one, then
/// that is `now`), by whose release.
#[inline(always)]
fn close(thread: &mut TrackedThread, from: u64, now: u64, releaser: (u32, u32)) {
    let lasted = now.saturating_sub(thread.lock_wait_from_ns);
    thread.lock_waits += 1;
    if lasted > thread.lock_wait_longest_ns {
        thread.lock_wait_longest_ns = lasted;
    }
    thread.lock_wait_open = 0;
    if thread.lock_wait_slept_ns + (now - from) >= MIN_RECORDED_WAIT_NS {
        tell(thread, from, now, releaser, false);
    }
}

/// Tells of one sleep of a lock wait.
#[inline(always)]
fn tell(thread: &TrackedThread, from: u64, to: u64, releaser: (u32, u32), goes_on: bool) {
    wait::told(
        thread,
        &SleepEnded {
            state: ThreadState::LockWait as u32,
            goes_on: goes_on as u32,
            from_ns: from,
            to_ns: to,
            object: thread.lock_address,
            releaser: releaser.0,
            releaser_tgid: releaser.1,
            ..SleepEnded::default()
        },
    );
}

/// The thread goes to sleep in `call`: which state that is.
#[inline(always)]
pub(crate) fn slept(thread: &mut TrackedThread, call: &Syscall, now: u64) -> ThreadState {
    let lock = is_wait(call.number);
    let address = call.args[0];
    if thread.lock_wait_open != 0 {
        if lock && thread.lock_address == address {
            return ThreadState::LockWait;
        }
        over(thread);
    }
    if !lock {
        return ThreadState::Blocked;
    }
    thread.lock_address = address;
    thread.lock_wait_from_ns = now;
    thread.lock_wait_open = 1;
    thread.lock_wait_slept_ns = 0;
    thread.lock_wait_timed = is_timed_and_private(call) as u32;
    ThreadState::LockWait
}

/// The current thread wakes another one. Where that is a release of what it last waited for itself,
/// its wait was over when its timer woke it: it found the lock free.
#[inline(always)]
pub(crate) fn wakes(thread: &mut TrackedThread) {
    if thread.lock_wait_open == 0 || thread.state != ThreadState::OnCpu as u32 {
        return;
    }
    // SAFETY: the current task is known to the verifier.
    let call = unsafe { arch::syscall(bpf_get_current_task_btf()) };
    if is_release(&call) && pair(call.args[0]) == pair(thread.lock_address) {
        over(thread);
    }
}

/// The current thread does something else than waiting for a lock: a wait whose last sleep a timer
/// ended was over then.
#[inline(always)]
pub(crate) fn over(thread: &mut TrackedThread) {
    if thread.lock_wait_open != 0 {
        let ended = thread.since_ns;
        close(thread, ended, ended, (0, 0));
    }
}

/// A condition variable has two futex words side by side and uses them in turn (glibc
/// nptl/pthread_cond_wait.c, `__g_signals`).
#[inline(always)]
const fn pair(address: u64) -> u64 {
    address & !7
}

/// The thread, in a lock wait, is woken by whoever is current.
#[inline(always)]
pub(crate) fn woken(thread: &mut TrackedThread, now: u64) {
    // SAFETY: the current task is known to the verifier.
    let by = unsafe { arch::syscall(bpf_get_current_task_btf()) };
    let releaser = current();
    if is_release(&by) && releases(thread, &by, releaser.1) {
        let from = thread.since_ns;
        close(thread, from, now, releaser);
        thread.releaser = releaser.0;
        if TRACK_HOLDERS.load() != 0 && releaser.1 == thread.tgid {
            // It will hold the lock again: what it is then doing is asked for.
            thread::track_holder(releaser, now);
        }
    } else {
        interrupted(thread, now);
    }
}

/// The sleep in progress is over, and as far as is known the lock was not released.
#[inline(always)]
pub(crate) fn interrupted(thread: &mut TrackedThread, now: u64) {
    thread.lock_wait_slept_ns += now - thread.since_ns;
    tell(thread, thread.since_ns, now, (0, 0), true);
}
