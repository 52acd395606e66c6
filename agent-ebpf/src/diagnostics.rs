//! Rare diagnostics (`--probe-log`): what became of a socket. Never a byte of its stream.

use aya_ebpf::EbpfContext;
use aya_log_ebpf::info;

use crate::globals::PROBE_LOG;

/// What a probe found out about a socket, by its id.
#[derive(Clone, Copy)]
pub(crate) enum Finding {
    Nothing,
    /// Its arrivals are observed from here on.
    Tracked(u64),
    /// A message begins in it.
    Fix(u64),
    /// It carries something else.
    Other(u64),
    /// A message did not begin where the last one's BodyLength said, or bytes were not observed.
    OutOfStep(u64),
}

/// Logs a finding when that was asked for.
#[inline(always)]
pub(crate) fn log(ctx: &impl EbpfContext, finding: Finding) {
    if PROBE_LOG.load() == 0 {
        return;
    }
    match finding {
        Finding::Nothing => {}
        Finding::Tracked(id) => info!(ctx, "socket {}: tracked", id),
        Finding::Fix(id) => info!(ctx, "socket {}: carries FIX", id),
        Finding::Other(id) => info!(ctx, "socket {}: does not carry FIX, ignored", id),
        Finding::OutOfStep(id) => info!(ctx, "socket {}: out of step, searching a message", id),
    }
}
