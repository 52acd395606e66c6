//! System call numbers and user registers of the two architectures.

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::generated::bpf_task_pt_regs,
};

/// The system call a task is in, and its first arguments.
#[derive(Clone, Copy)]
pub(crate) struct Syscall {
    /// Its number; -1 (or another value that is no system call) after an exception or interrupt.
    pub(crate) number: i64,
    pub(crate) args: [u64; 4],
}

/// Reads the user registers the task entered the kernel with.
///
/// # Safety
/// `task` is a task the verifier knows (a tracepoint's argument, or the current one).
#[inline(always)]
pub(crate) unsafe fn syscall(task: *const task_struct) -> Syscall {
    // SAFETY: the helper wants a task the verifier knows; it returns the address of its pt_regs,
    // which is never null and readable at constant offsets.
    unsafe {
        let regs = bpf_task_pt_regs(task.cast_mut()) as *const pt_regs;
        from_regs(regs)
    }
}

#[cfg(not(bpf_target_arch = "aarch64"))]
#[inline(always)]
unsafe fn from_regs(regs: *const pt_regs) -> Syscall {
    // SAFETY: see `syscall`.
    unsafe {
        Syscall {
            number: i64::from((*regs).orig_rax as i32),
            args: [(*regs).rdi, (*regs).rsi, (*regs).rdx, (*regs).r10],
        }
    }
}

/// arch/arm64/include/asm/ptrace.h: `struct pt_regs` is the user registers (34 words), then
/// `orig_x0`, then `s32 syscallno`.
#[cfg(bpf_target_arch = "aarch64")]
#[inline(always)]
unsafe fn from_regs(regs: *const pt_regs) -> Syscall {
    const WORDS_BEFORE_ORIG_X0: usize = 34;
    // SAFETY: see `syscall`.
    unsafe {
        let words = regs.cast::<u64>();
        Syscall {
            number: i64::from(*words.add(WORDS_BEFORE_ORIG_X0 + 1).cast::<i32>()),
            args: [
                *words.add(WORDS_BEFORE_ORIG_X0),
                *words.add(1),
                *words.add(2),
                *words.add(3),
            ],
        }
    }
}

/// arch/x86/entry/syscalls/syscall_64.tbl
#[cfg(not(bpf_target_arch = "aarch64"))]
pub(crate) mod nr {
    pub(crate) const READ: i64 = 0;
    pub(crate) const POLL: i64 = 7;
    pub(crate) const READV: i64 = 19;
    pub(crate) const SELECT: i64 = 23;
    pub(crate) const RECVFROM: i64 = 45;
    pub(crate) const RECVMSG: i64 = 47;
    pub(crate) const FUTEX: i64 = 202;
    pub(crate) const EPOLL_WAIT: i64 = 232;
    pub(crate) const PSELECT6: i64 = 270;
    pub(crate) const PPOLL: i64 = 271;
    pub(crate) const EPOLL_PWAIT: i64 = 281;
    pub(crate) const RECVMMSG: i64 = 299;
    pub(crate) const IO_URING_ENTER: i64 = 426;
    pub(crate) const EPOLL_PWAIT2: i64 = 441;
    pub(crate) const FUTEX_WAITV: i64 = 449;
    pub(crate) const FUTEX_WAKE: i64 = 454;
    pub(crate) const FUTEX_WAIT: i64 = 455;
    pub(crate) const FUTEX_REQUEUE: i64 = 456;
}

/// include/uapi/asm-generic/unistd.h; calls that do not exist here get a number no call has.
#[cfg(bpf_target_arch = "aarch64")]
pub(crate) mod nr {
    pub(crate) const READ: i64 = 63;
    pub(crate) const POLL: i64 = -101;
    pub(crate) const READV: i64 = 65;
    pub(crate) const SELECT: i64 = -102;
    pub(crate) const RECVFROM: i64 = 207;
    pub(crate) const RECVMSG: i64 = 212;
    pub(crate) const FUTEX: i64 = 98;
    pub(crate) const EPOLL_WAIT: i64 = -103;
    pub(crate) const PSELECT6: i64 = 72;
    pub(crate) const PPOLL: i64 = 73;
    pub(crate) const EPOLL_PWAIT: i64 = 22;
    pub(crate) const RECVMMSG: i64 = 243;
    pub(crate) const IO_URING_ENTER: i64 = 426;
    pub(crate) const EPOLL_PWAIT2: i64 = 441;
    pub(crate) const FUTEX_WAITV: i64 = 449;
    pub(crate) const FUTEX_WAKE: i64 = 454;
    pub(crate) const FUTEX_WAIT: i64 = 455;
    pub(crate) const FUTEX_REQUEUE: i64 = 456;
}
