//! The program on the entry of system calls.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::sys_enter;

/// A system call begins. Costs every system call on the machine, so it is attached only once a
/// tracked thread reads several sockets, or receives several messages with one recvmmsg(2).
///
/// Binds to `sys_enter(struct pt_regs *regs, long id)`, kernel/entry/common.c.
#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    sys_enter::entered(ctx.arg(1));
    0
}
