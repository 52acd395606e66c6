//! Ends of threads, and of tracking them.

use agent_common::{ProbeCounter, RecordHead, RecordKind, ThreadExited};
use aya_ebpf::bindings::task_struct;

use crate::{
    cpu_queue,
    globals::TASK_PID,
    memory::field,
    ring_buffer::emit,
    task::now,
    thread::{lookup, remove, snapshot},
};

/// The current thread is of a process that is to be left alone.
#[inline(always)]
pub(crate) fn untrack(tid: u32) {
    let Some(thread) = lookup(tid) else {
        return;
    };
    // SAFETY: a map value.
    cpu_queue::leave(unsafe { &mut *thread });
    remove(tid);
}

/// `task`, the current one, ends.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn exited(task: *const task_struct) {
    // SAFETY: the caller's.
    let tid = unsafe { field::<u32>(task.cast(), TASK_PID.load()) };
    let Some(thread) = lookup(tid) else {
        return;
    };
    // SAFETY: a map value.
    let thread = unsafe { &mut *thread };
    // Nobody else would take it off the queue it was last on, should its switch to the CPU not have
    // been observed.
    cpu_queue::leave(thread);
    let (tgid, lost) = (thread.tgid, thread.lost);
    let record = ThreadExited {
        head: RecordHead {
            kind: RecordKind::ThreadExited as u32,
            lost,
            socket_id: 0,
        },
        last: snapshot(tid, now()),
        tid,
        tgid,
    };
    emit(&record, ProbeCounter::LifecycleLost);
    remove(tid);
}
