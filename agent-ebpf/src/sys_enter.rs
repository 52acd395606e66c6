//! The entry of system calls, watched on demand only: it costs every system call on the machine.
//!
//! It tells what a call that does not sleep never shows otherwise: which message of a recvmmsg(2)
//! is next, and that a thread of several sockets is back in its wait although another one is ready.

use aya_ebpf::helpers::generated::bpf_get_current_task_btf;

use crate::{
    arch::{self, nr},
    current::{current, now},
    handoff, thread, user_buffer,
};

/// The current thread enters system call `number`.
#[inline(always)]
pub(crate) fn entered(number: i64) {
    if !handoff::may_be_one(number) {
        return;
    }
    let (tid, tgid) = current();
    if number == nr::RECVMMSG {
        user_buffer::entered(tid, tgid);
    }
    let Some(thread) = thread::lookup(tid) else {
        return;
    };
    // SAFETY: a map value; the current task is known to the verifier.
    unsafe {
        let thread = &mut *thread;
        if thread.pending_bits != 0 {
            let (task, now) = (bpf_get_current_task_btf(), now());
            thread::acts(thread, now);
            handoff::waits(task, thread, tid, &arch::syscall(task), now);
        }
    }
}
