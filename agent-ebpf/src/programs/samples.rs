//! The program that the agent runs itself.

use aya_ebpf::{EbpfContext as _, macros::raw_tracepoint, programs::RawTracePointContext};

use crate::socket;

/// Writes what waits on the socket whose address is the argument.
///
/// Bound to no hook: the agent runs it (`BPF_PROG_TEST_RUN`, net/bpf/test_run.c
/// `bpf_prog_test_run_raw_tp`; 5.10 and later).
#[raw_tracepoint]
fn sample_socket(ctx: RawTracePointContext) -> i32 {
    // SAFETY: the context is the array of arguments, and the agent passes one.
    socket::sample(unsafe { *ctx.as_ptr().cast::<u64>() });
    0
}
