//! Calls of the function named with `--handoff`.

use agent_common::{FunctionCalled, ProbeCounter, RecordHead, RecordKind};

use crate::{
    catch_up,
    maps::THREADS,
    ring_buffer::emit,
    task::{current, now},
    thread::snapshot,
};

/// The current thread entered the function, or returned from it.
#[inline(always)]
pub(crate) fn function_called() {
    let at = now();
    let (tid, _) = current();
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        // A thread that has received no FIX yet: its calls hand nothing off.
        return;
    };
    // SAFETY: a map value.
    let thread = unsafe { &mut *thread };
    catch_up::acts(thread, at);
    let record = FunctionCalled {
        head: RecordHead {
            kind: RecordKind::FunctionCalled as u32,
            lost: thread.lost,
            socket_id: 0,
        },
        caller: snapshot(tid, at),
    };
    if !emit(&record, ProbeCounter::FunctionCallLost) {
        thread.lost += 1;
    }
}
