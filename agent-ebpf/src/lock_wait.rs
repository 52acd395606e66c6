//! Lock waits: sleeps in futex(2), timed waits joined.
//!
//! CPython waits for its interpreter lock in a loop of timed waits; consecutive waits on one
//! address that ended by their timer are one wait, unless the thread had the lock in between: for a
//! lock that it finds free there is no wake-up. The waker shows whether a wake-up is a release: a
//! release is a futex wake (or requeue, or PI unlock) system call of the current thread, while a
//! timer fires in an interrupt on top of whatever runs. As that can be a thread in such a call of
//! its own, a wait with a timeout is ended only by a call on its own futex.

use agent_common::{SleepEnded, ThreadState, TrackedThread, syscall::Syscall};

use crate::{
    globals::TRACK_HOLDERS,
    task::{current, current_syscall},
    thread::{emit_sleep, track_holder},
};

/// Ends the wait in progress. Its last sleep began at `from`; where it has ended before, `from` is
/// `now`. `releaser` is the thread that released the lock, (id, process), or zeros.
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
            goes_on: u32::from(goes_on),
            from_ns: from,
            to_ns: to,
            object: thread.lock_address,
            releaser: releaser.0,
            releaser_tgid: releaser.1,
            ..SleepEnded::default()
        },
    );
}

/// The state of the thread, which goes to sleep in `call`.
#[inline(always)]
pub(crate) fn state_of_sleep(thread: &mut TrackedThread, call: &Syscall, now: u64) -> ThreadState {
    if thread.lock_wait_open != 0 {
        if thread.lock_wait_goes_on(call) {
            return ThreadState::LockWait;
        }
        end_if_open(thread);
    }
    if !call.is_futex_wait() {
        return ThreadState::Blocked;
    }
    thread.begin_lock_wait(call, now);
    ThreadState::LockWait
}

/// The current thread wakes another one. Where that releases the lock that it last waited for
/// itself, its own wait was over when its timer fired: it found the lock free.
#[inline(always)]
pub(crate) fn current_wakes_another(thread: &mut TrackedThread) {
    if thread.lock_wait_open == 0 || !thread.is_running() {
        return;
    }
    let call = current_syscall();
    if call.is_futex_release() && call.is_on_futex(thread.lock_address) {
        end_if_open(thread);
    }
}

/// The current thread does something else than waiting for a lock: a wait whose last sleep was ended
/// by a timer was over when that sleep ended.
#[inline(always)]
pub(crate) fn end_if_open(thread: &mut TrackedThread) {
    if thread.lock_wait_open != 0 {
        let ended = thread.since_ns;
        close(thread, ended, ended, (0, 0));
    }
}

/// The thread, in a lock wait, is woken by the current thread or by an interrupt on top of it.
#[inline(always)]
pub(crate) fn wake_up(thread: &mut TrackedThread, now: u64) {
    let call = current_syscall();
    let releaser = current();
    if call.is_futex_release() && thread.can_be_released_by(&call, releaser.1) {
        let from = thread.since_ns;
        close(thread, from, now, releaser);
        thread.releaser = releaser.0;
        if TRACK_HOLDERS.load() != 0 && releaser.1 == thread.tgid {
            // It will hold the lock again; the agent then asks for its state.
            track_holder(releaser, now);
        }
    } else {
        interrupted(thread, now);
    }
}

/// The sleep in progress is over without an observed release of the lock.
#[inline(always)]
pub(crate) fn interrupted(thread: &mut TrackedThread, now: u64) {
    thread.lock_wait_slept_ns += now - thread.since_ns;
    emit(thread, thread.since_ns, now, (0, 0), true);
}
