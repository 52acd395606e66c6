//! Rare diagnostics (`--probe-log`): what became of a socket. Never a byte of its stream.

use aya_ebpf::EbpfContext;
use aya_log_ebpf::info;

use crate::globals::PROBE_LOG;

/// What a probe found out about a socket, by its id.
#[derive(Clone, Copy)]
pub(crate) enum Note {
    Nothing,
    /// Its arrivals are seen from here on.
    Watched(u64),
    /// A message begins in it.
    Fix(u64),
    /// It carries something else.
    Other(u64),
    /// A message did not begin where the last one's BodyLength said, or bytes went by unseen.
    OutOfStep(u64),
}

/// Logs it when that was asked for.
#[inline(always)]
pub(crate) fn log(ctx: &impl EbpfContext, note: Note) {
    if PROBE_LOG.load() == 0 {
        return;
    }
    match note {
        Note::Nothing => {}
        Note::Watched(id) => info!(ctx, "socket {}: watched", id),
        Note::Fix(id) => info!(ctx, "socket {}: carries FIX", id),
        Note::Other(id) => info!(ctx, "socket {}: does not carry FIX, ignored", id),
        Note::OutOfStep(id) => info!(ctx, "socket {}: out of step, searching a message", id),
    }
}
