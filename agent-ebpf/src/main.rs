//! tag52's kernel probes: thin hooks here, one shared body per concept in the modules.
//!
//! Which hooks are loaded is decided by the agent from the kernel's BTF (`agent/src/probes`).
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

#[path = "registers.rs"]
mod arch;
#[path = "socket/arrival.rs"]
mod arrival;
#[path = "memory.rs"]
mod bits;
#[path = "handoff_function.rs"]
mod call;
mod current;
#[path = "sys_enter.rs"]
mod entry;
mod fault;
#[path = "lock_wait.rs"]
mod futex;
mod globals;
mod handoff;
mod maps;
#[path = "diagnostics.rs"]
mod note;
#[path = "cpu_queue.rs"]
mod queue;
#[path = "sched_info.rs"]
mod rebuilt;
#[path = "receive/mod.rs"]
mod recv;
#[path = "ring_buffer.rs"]
mod ring;
#[path = "thread/seqlock.rs"]
mod seqlock;
#[path = "thread/snapshot.rs"]
mod snapshot;
mod socket;
#[path = "socket/tcp_sock.rs"]
mod tcp;
mod thread;
#[path = "cfs_rq.rs"]
mod throttle;
#[path = "receive/buffers.rs"]
mod user_buffer;
#[path = "thread/sleep.rs"]
mod wait;
#[path = "receive/walk.rs"]
mod walk;

use recv::Look;

use aya_ebpf::{
    bindings::task_struct,
    cty::c_void,
    macros::{btf_tracepoint, fentry, fexit, uprobe, uretprobe},
    programs::{BtfTracePointContext, FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

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
    unsafe { thread::switched(prev, next, preempted & 0xff != 0, state) };
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
        let state = bits::field::<u32>(prev.cast(), globals::TASK_STATE.load());
        thread::switched(prev, next, preempted & 0xff != 0, state);
    }
    0
}

/// A wake-up begins, in the context of the waker.
///
/// Binds to `sched_waking(struct task_struct *p)`, kernel/sched/core.c `try_to_wake_up`.
#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { thread::waking(ctx.arg(0)) };
    0
}

/// A woken task is on its run queue.
///
/// Binds to `sched_wakeup(struct task_struct *p)`, kernel/sched/core.c `ttwu_do_wakeup`.
#[btf_tracepoint(function = "sched_wakeup")]
fn sched_wakeup(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { thread::woken(ctx.arg(0)) };
    0
}

/// A task is about to change its run queue.
///
/// Binds to `sched_migrate_task(struct task_struct *p, int dest_cpu)`, kernel/sched/core.c
/// `set_task_cpu`.
#[btf_tracepoint(function = "sched_migrate_task")]
fn sched_migrate_task(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { thread::migrating(ctx.arg(0), ctx.arg(1)) };
    0
}

/// A thread ends.
///
/// Binds to `sched_process_exit(struct task_struct *p)`, kernel/exit.c `do_exit`.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's task argument.
    unsafe { thread::exited(ctx.arg(0)) };
    0
}

/// Bytes became readable on a socket.
///
/// Binds to `sk_data_ready(const struct sock *sk)` (6.3 and later), net/core/sock.c
/// `sock_def_readable`.
#[btf_tracepoint(function = "sk_data_ready")]
fn sk_data_ready(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    unsafe { arrival::arrived(ctx.arg(0)) };
    0
}

/// A receive call is through, in the receiving thread, bytes already copied to user memory.
///
/// Binds to `sock_recv_length(struct sock *sk, int ret, int flags)` (6.3 and later), net/socket.c
/// `sock_recvmsg_nosec`: recv, recvfrom, recvmsg, recvmmsg, read and readv all pass it.
#[btf_tracepoint(function = "sock_recv_length")]
fn sock_recv_length(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    let note = unsafe { recv::received(ctx.arg(0), ctx.arg(1), ctx.arg(2), Look::First) };
    note::log(&ctx, note);
    0
}

/// The same once more, for the calls at which the kernel left out [`sock_recv_length`].
#[btf_tracepoint(function = "sock_recv_length")]
fn sock_recv_length_again(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    let note = unsafe { recv::received(ctx.arg(0), ctx.arg(1), ctx.arg(2), Look::Second) };
    note::log(&ctx, note);
    0
}

/// Bytes became readable on a socket, kernels without [`sk_data_ready`].
///
/// Binds to the entry of `sock_def_readable(struct sock *sk)`, net/core/sock.c.
#[fentry(function = "sock_def_readable")]
fn sock_def_readable(ctx: FEntryContext) -> i32 {
    // SAFETY: the function's socket argument.
    unsafe { arrival::arrived(ctx.arg(0)) };
    0
}

/// A receive call is through, kernels without [`sock_recv_length`].
///
/// Binds to the return of `tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
/// int *addr_len)` (5.19 and later), net/ipv4/tcp.c.
#[fexit(function = "tcp_recvmsg")]
fn tcp_recvmsg(ctx: FExitContext) -> i32 {
    // SAFETY: the function's socket argument; the result follows the arguments.
    let note = unsafe { recv::received(ctx.arg(0), ctx.arg(5), ctx.arg(3), Look::First) };
    note::log(&ctx, note);
    0
}

/// A receive call is through, kernels before 5.19.
///
/// Binds to the return of `tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int
/// nonblock, int flags, int *addr_len)`, net/ipv4/tcp.c.
#[fexit(function = "tcp_recvmsg")]
fn tcp_recvmsg_old(ctx: FExitContext) -> i32 {
    // SAFETY: the function's socket argument; the result follows the arguments.
    let note = unsafe { recv::received(ctx.arg(0), ctx.arg(6), ctx.arg(4), Look::First) };
    note::log(&ctx, note);
    0
}

/// A system call begins. Costs every system call on the machine, so it is attached only once a
/// thread of a watched process reads several sockets, or receives several messages with one
/// recvmmsg(2).
///
/// Binds to `sys_enter(struct pt_regs *regs, long id)`, kernel/entry/common.c.
#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    entry::entered(ctx.arg(1));
    0
}

/// A TCP socket changes its state.
///
/// Binds to `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`,
/// net/ipv4/af_inet.c `inet_sk_set_state`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    let note = unsafe { socket::changed_state(ctx.arg(0), ctx.arg(1), ctx.arg(2)) };
    note::log(&ctx, note);
    0
}

/// A TCP socket goes away.
///
/// Binds to `tcp_destroy_sock(struct sock *sk)`, net/ipv4/tcp_ipv4.c `tcp_v4_destroy_sock`.
#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tcp_destroy_sock(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    unsafe { socket::destroyed(ctx.arg(0)) };
    0
}

/// The open files of the watched processes, walked once at the start.
///
/// Binds to the BPF iterator `task_file`, kernel/bpf/task_iter.c; `struct bpf_iter__task_file` is
/// `{ meta, task, fd, file }`, eight bytes each.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn present_sockets(ctx: *mut c_void) -> i32 {
    let ctx = ctx.cast::<*const c_void>();
    // SAFETY: the layout of `bpf_iter__task_file`, above.
    unsafe {
        let (task, file) = (*ctx.add(1), *ctx.add(3));
        if !task.is_null() && !file.is_null() {
            socket::present(task.cast(), file);
        }
    }
    0
}

/// The function named with `--handoff` is entered (user space, in the watched processes only).
#[uprobe]
fn function_entered(_ctx: ProbeContext) -> u32 {
    call::called();
    0
}

/// The function named with `--handoff` returns (user space, in the watched processes only).
#[uretprobe]
fn function_returned(_ctx: RetProbeContext) -> u32 {
    call::called();
    0
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the verifier rejects a program with a reachable endless loop.
    loop {}
}

// The helpers used (probe_read_kernel, ktime_get_ns, ..) are for GPL-compatible programs; the
// sources are MIT OR Apache-2.0, and MIT is compatible.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
