//! The entry of system calls, observed on demand only: it costs every system call on the machine.
//!
//! It shows what a call that does not sleep never shows otherwise: which message of a recvmmsg(2)
//! is next, and that a thread of several sockets is back in its wait although another one is ready.

use agent_common::syscall::{is_recvmmsg, may_wait_for_socket};
use aya_ebpf::helpers::generated::bpf_get_current_task_btf;

use crate::{
    catch_up, handoff,
    task::{current, now, syscall_of},
    thread, user_buffers,
};

/// The current thread enters system call `number`.
#[inline(always)]
pub(crate) fn entered(number: i64) {
    if !may_wait_for_socket(number) {
        return;
    }
    let (tid, tgid) = current();
    if is_recvmmsg(number) {
        user_buffers::enters_recvmmsg(tid, tgid);
    }
    let Some(thread) = thread::lookup(tid) else {
        return;
    };
    // SAFETY: a map value; the current task is known to the verifier.
    unsafe {
        let thread = &mut *thread;
        if thread.pending_bits != 0 {
            let (task, now) = (bpf_get_current_task_btf(), now());
            catch_up::acts(thread, now);
            handoff::waits(task, thread, tid, &syscall_of(task), now);
        }
    }
}
