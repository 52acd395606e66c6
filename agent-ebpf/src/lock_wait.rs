//! Lock waits: sleeps in futex(2), timed waits joined.
//!
//! CPython waits for its interpreter lock in a loop of timed waits; consecutive waits on one
//! address that ended by their timer are one wait, unless the thread had the lock in between:
//! nobody wakes it for a lock that it finds free. Whether a wake-up is a release is known from the
//! waker: a release is a futex wake (or requeue, or PI unlock) system call of the current thread, a
//! timer fires in an interrupt on top of whatever runs. As that can be a thread in such a call of
//! its own, a wait with a timeout is only ended by a call on its own futex.

use agent_common::{SleepEnded, ThreadState, TrackedThread, syscall::Syscall};

use crate::{
    globals::TRACK_HOLDERS,
    task::{current, current_syscall},
    thread::{emit_sleep, track_holder},
};

/// The wait in progress ends here, with a sleep that began at `from` (or after its last one, then
/// that is `now`), by whose release.
#[inline(always)]
fn close(thread: &mut TrackedThread, from: u64, now: u64, releaser: (u32, u32)) {
    if thread.end_lock_wait(from, now) {
        emit(thread, from, now, releaser, false);
    }
}

/// Writes the record of one sleep of a lock wait.
#[inline(always)]
fn emit(thread: &TrackedThread, from: u64, to: u64, releaser: (u32, u32), goes_on: bool) {
    emit_sleep(
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
    if thread.lock_wait_open != 0 {
        if thread.lock_wait_goes_on(call) {
            return ThreadState::LockWait;
        }
        over(thread);
    }
    if !call.is_futex_wait() {
        return ThreadState::Blocked;
    }
    thread.begin_lock_wait(call, now);
    ThreadState::LockWait
}

/// The current thread wakes another one. Where that is a release of what it last waited for itself,
/// its wait was over when its timer woke it: it found the lock free.
#[inline(always)]
pub(crate) fn wakes(thread: &mut TrackedThread) {
    if thread.lock_wait_open == 0 || !thread.is_running() {
        return;
    }
    let call = current_syscall();
    if call.is_futex_release() && call.is_on_futex(thread.lock_address) {
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

/// The thread, in a lock wait, is woken by whoever is current.
#[inline(always)]
pub(crate) fn woken(thread: &mut TrackedThread, now: u64) {
    let call = current_syscall();
    let releaser = current();
    if call.is_futex_release() && thread.can_be_released_by(&call, releaser.1) {
        let from = thread.since_ns;
        close(thread, from, now, releaser);
        thread.releaser = releaser.0;
        if TRACK_HOLDERS.load() != 0 && releaser.1 == thread.tgid {
            // It will hold the lock again: its state is then asked for.
            track_holder(releaser, now);
        }
    } else {
        interrupted(thread, now);
    }
}

/// The sleep in progress is over, and as far as is known the lock was not released.
#[inline(always)]
pub(crate) fn interrupted(thread: &mut TrackedThread, now: u64) {
    thread.lock_wait_slept_ns += now - thread.since_ns;
    emit(thread, thread.since_ns, now, (0, 0), true);
}
