//! The current task and the current time.

use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_ktime_get_ns};

use crate::{
    globals::WATCH_ALL,
    maps::{WATCHED, holds},
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

/// Whether the process is one to watch: a load and a test, however many there are.
#[inline(always)]
pub(crate) fn wanted(tgid: u32) -> bool {
    holds(&WATCHED, tgid) != discovers()
}

/// Whether nobody said which processes to watch: then those that read FIX are.
#[inline(always)]
pub(crate) fn discovers() -> bool {
    WATCH_ALL.load() != 0
}
