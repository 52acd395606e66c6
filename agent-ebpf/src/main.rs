//! tag52's kernel probes.
//!
//! `programs` has the BPF programs, one thin function per hook; the other modules have one concept
//! of the kernel each. Which programs are loaded is decided by the agent from the kernel's BTF
//! (`agent/src/kernel`). Logic that needs no kernel is in `agent-common`, with host tests.
//!
//! From the bottom up: `memory`, `task`, `maps`, `ring_buffer`; then `thread`, `cfs_rq`,
//! `sched_info`, `cpu_queue`, `lock_wait`; `catch_up`; `handoff`; `scheduler`, `socket`, `receive`.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod catch_up;
mod cfs_rq;
mod cpu_queue;
mod diagnostics;
mod fault;
mod globals;
mod handoff;
mod lock_wait;
mod maps;
mod memory;
mod programs;
mod receive;
mod ring_buffer;
mod sched_info;
mod scheduler;
mod seqlock;
mod socket;
mod sys_enter;
mod task;
mod thread;
mod user_buffers;

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
