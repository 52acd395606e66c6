//! Tasks: the current one, the system call a task is in, and the current time.

use agent_common::syscall::Syscall;
use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::generated::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf, bpf_ktime_get_ns, bpf_task_pt_regs,
    },
};

use crate::{
    globals::WATCH_ALL,
    maps::{WATCHED, has_id},
};

/// `CLOCK_MONOTONIC`, ns.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// (thread, thread group) of the current task, initial PID namespace.
#[inline(always)]
pub(crate) fn current() -> (u32, u32) {
    // SAFETY: no arguments.
    let both = unsafe { bpf_get_current_pid_tgid() };
    (both as u32, (both >> 32) as u32)
}

/// Whether the process is a target: a load and a test, however many there are.
#[inline(always)]
pub(crate) fn is_target(tgid: u32) -> bool {
    has_id(&WATCHED, tgid) != discovers()
}

/// Whether no targets were named (`--all`): then the processes that read FIX are.
#[inline(always)]
pub(crate) fn discovers() -> bool {
    WATCH_ALL.load() != 0
}

/// The system call the current task is in.
#[inline(always)]
pub(crate) fn current_syscall() -> Syscall {
    // SAFETY: the current task is known to the verifier.
    unsafe { syscall_of(bpf_get_current_task_btf()) }
}

/// The system call a task is in, from the user registers it entered the kernel with.
///
/// # Safety
/// `task` is a task the verifier knows (a tracepoint's argument, or the current one).
#[inline(always)]
pub(crate) unsafe fn syscall_of(task: *const task_struct) -> Syscall {
    // SAFETY: the helper wants a task the verifier knows; it returns the address of its pt_regs,
    // which is never null and readable at constant offsets.
    unsafe {
        let regs = bpf_task_pt_regs(task.cast_mut()) as *const pt_regs;
        from_registers(regs)
    }
}

#[cfg(not(bpf_target_arch = "aarch64"))]
#[inline(always)]
unsafe fn from_registers(regs: *const pt_regs) -> Syscall {
    // SAFETY: see `syscall_of`.
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
unsafe fn from_registers(regs: *const pt_regs) -> Syscall {
    const WORDS_BEFORE_ORIG_X0: usize = 34;
    // SAFETY: see `syscall_of`.
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
