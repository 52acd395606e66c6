//! Calls of the function named with `--handoff`.

use agent_common::{FunctionCalled, ProbeCounter, RecordHead, RecordKind};

use crate::{
    current::{current, now},
    maps::THREADS,
    ring::emit,
    snapshot, thread,
};

/// The current thread entered (or left) the function.
#[inline(always)]
pub(crate) fn called() {
    let at = now();
    let (tid, _) = current();
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        // A thread that has read no FIX yet: its calls hand nothing off.
        return;
    };
    // SAFETY: a map value.
    let thread = unsafe { &mut *thread };
    thread::acts(thread, at);
    let record = FunctionCalled {
        head: RecordHead {
            kind: RecordKind::FunctionCalled as u32,
            lost: thread.lost,
            socket_id: 0,
        },
        caller: snapshot::of(tid, at),
    };
    if !emit(&record, ProbeCounter::FunctionCallLost) {
        thread.lost += 1;
    }
}
