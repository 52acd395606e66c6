//! Programs on the scheduler's tracepoints.

use aya_ebpf::{
    bindings::task_struct, cty::c_void, macros::btf_tracepoint, programs::BtfTracePointContext,
};

use crate::{globals, memory::field, scheduler};

/// A context switch, kernels whose tracepoint passes the state (5.18 and later).
///
/// Binds to `sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next,
/// unsigned int prev_state)`, kernel/sched/core.c `__schedule`.
#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) -> i32 {
    let (prev, next) = (ctx.arg(1), ctx.arg(2));
    let state: u32 = ctx.arg(3);
    let preempted: u64 = ctx.arg(0);
    // SAFETY: both are the tracepoint's task arguments.
    unsafe { scheduler::switched(prev, next, preempted & 0xff != 0, state) };
    0
}

/// A context switch, older kernels: the state is read from the task.
///
/// Binds to `sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next)`.
#[btf_tracepoint(function = "sched_switch")]
fn sched_switch_old(ctx: BtfTracePointContext) -> i32 {
    let (prev, next): (*const task_struct, *const task_struct) = (ctx.arg(1), ctx.arg(2));
    let preempted: u64 = ctx.arg(0);
    // SAFETY: both are the tracepoint's task arguments.
    unsafe {
        let state = field::<u32>(prev.cast(), globals::TASK_STATE.load());
        scheduler::switched(prev, next, preempted & 0xff != 0, state);
    }
    0
}

/// A wake-up begins, in the context of the waker.
///
/// Binds to `sched_waking(struct task_struct *p)`, kernel/sched/core.c `try_to_wake_up`.
#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { scheduler::wake_up_begins(ctx.arg(0)) };
    0
}

/// A woken task is on its run queue.
///
/// Binds to `sched_wakeup(struct task_struct *p)`, kernel/sched/core.c `ttwu_do_wakeup`.
#[btf_tracepoint(function = "sched_wakeup")]
fn sched_wakeup(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { scheduler::wake_up_enqueued(ctx.arg(0)) };
    0
}

/// A task is about to change its run queue.
///
/// Binds to `sched_migrate_task(struct task_struct *p, int dest_cpu)`, kernel/sched/core.c
/// `set_task_cpu`.
#[btf_tracepoint(function = "sched_migrate_task")]
fn sched_migrate_task(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { scheduler::migrating(ctx.arg(0), ctx.arg(1)) };
    0
}

/// A thread ends.
///
/// Binds to `sched_process_exit(struct task_struct *p)`, kernel/exit.c `do_exit`.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { scheduler::exited(ctx.arg(0)) };
    0
}

/// The threads of the targets, walked once at the start.
///
/// Binds to the BPF iterator `task`, kernel/bpf/task_iter.c; `struct bpf_iter__task` is
/// `{ meta, task }`, eight bytes each.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn present_threads(ctx: *mut c_void) -> i32 {
    // SAFETY: the layout of `bpf_iter__task`, above.
    unsafe {
        let task = *ctx.cast::<*const task_struct>().add(1);
        if !task.is_null() {
            scheduler::present(task);
        }
    }
    0
}
