//! Programs on the life and the receive side of TCP sockets.

use aya_ebpf::{
    cty::c_void,
    macros::{btf_tracepoint, fentry, fexit},
    programs::{BtfTracePointContext, FEntryContext, FExitContext},
};

use crate::{
    diagnostics,
    receive::{self, Pass},
    socket,
};

/// Bytes became readable on a socket.
///
/// Binds to `sk_data_ready(const struct sock *sk)` (6.3 and later), net/core/sock.c
/// `sock_def_readable`.
#[btf_tracepoint(function = "sk_data_ready")]
fn sk_data_ready(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    unsafe { socket::arrived(ctx.arg(0)) };
    0
}

/// Bytes became readable on a socket, kernels without [`sk_data_ready`].
///
/// Binds to the entry of `sock_def_readable(struct sock *sk)`, net/core/sock.c.
#[fentry(function = "sock_def_readable")]
fn sock_def_readable(ctx: FEntryContext) -> i32 {
    // SAFETY: the function's socket argument.
    unsafe { socket::arrived(ctx.arg(0)) };
    0
}

/// A receive call returns, in the receiving thread, bytes already copied to user memory.
///
/// Binds to `sock_recv_length(struct sock *sk, int ret, int flags)` (6.3 and later), net/socket.c
/// `sock_recvmsg_nosec`: recv, recvfrom, recvmsg, recvmmsg, read and readv all pass it.
#[btf_tracepoint(function = "sock_recv_length")]
fn sock_recv_length(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    let found = unsafe { receive::received(ctx.arg(0), ctx.arg(1), ctx.arg(2), Pass::First) };
    diagnostics::log(&ctx, found);
    0
}

/// The second pass, for the receive calls of which the kernel skipped the run of
/// [`sock_recv_length`].
///
/// Binds to the same tracepoint `sock_recv_length`.
#[btf_tracepoint(function = "sock_recv_length")]
fn sock_recv_length_again(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    let found = unsafe { receive::received(ctx.arg(0), ctx.arg(1), ctx.arg(2), Pass::Second) };
    diagnostics::log(&ctx, found);
    0
}

/// A receive call returns, kernels without [`sock_recv_length`].
///
/// Binds to the return of `tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
/// int *addr_len)` (5.19 and later), net/ipv4/tcp.c.
#[fexit(function = "tcp_recvmsg")]
fn tcp_recvmsg(ctx: FExitContext) -> i32 {
    // SAFETY: the function's socket argument; the result follows the arguments.
    let found = unsafe { receive::received(ctx.arg(0), ctx.arg(5), ctx.arg(3), Pass::First) };
    diagnostics::log(&ctx, found);
    0
}

/// A receive call returns, kernels before 5.19.
///
/// Binds to the return of `tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int
/// nonblock, int flags, int *addr_len)`, net/ipv4/tcp.c.
#[fexit(function = "tcp_recvmsg")]
fn tcp_recvmsg_old(ctx: FExitContext) -> i32 {
    // SAFETY: the function's socket argument; the result follows the arguments.
    let found = unsafe { receive::received(ctx.arg(0), ctx.arg(6), ctx.arg(4), Pass::First) };
    diagnostics::log(&ctx, found);
    0
}

/// A TCP socket changes its state.
///
/// Binds to `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`,
/// net/ipv4/af_inet.c `inet_sk_set_state`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's socket argument.
    let found = unsafe { socket::changed_state(ctx.arg(0), ctx.arg(1), ctx.arg(2)) };
    diagnostics::log(&ctx, found);
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

/// The open files of the targets, walked once at the start.
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
