//! The record of a receive call.

use agent_common::{
    BytesReceived, CloseReason, MAX_RECORD_BYTES, ProbeCounter, RecordKind, StreamContent,
    TrackedSocket, TrackedThread, header_walk::walk_mode, receive_flags, syscall::Syscall,
};

use super::{slices::EMPTY_RECORD_BYTES, walk_loop::walk};
use crate::{
    catch_up, handoff,
    maps::{RECV_SCRATCH, RecvScratch},
    memory::opaque,
    ring_buffer::{count, emit_bytes},
    socket::{self, ReceiveSide},
    task::discovers,
    thread::{self, emit_history, snapshot},
    user_buffers::{Buffers, continues},
};

/// A stream found in its middle that shows no message within so many bytes is not FIX.
const MAX_SEARCHED_BYTES: u32 = 256 << 10;

/// include/linux/socket.h
const MSG_TRUNC: i32 = 0x20;

/// Which pass over a receive call it is. The kernel skips a program that is already running on the
/// CPU (kernel/trace/bpf_trace.c `__bpf_trace_run`). Where a thread can lose its CPU within a
/// tracepoint, that happens to the calls of those who have it meanwhile: a second program repeats
/// what the first one missed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    First,
    Second,
}

/// A receive call that returned bytes.
pub(super) struct Received<'a> {
    pub(super) sk: u64,
    pub(super) tcp: &'a ReceiveSide,
    pub(super) call: &'a Syscall,
    pub(super) len: u32,
    /// The call's flags (`MSG_..`).
    pub(super) flags: i32,
    pub(super) tid: u32,
    pub(super) tgid: u32,
    pub(super) at: u64,
    pub(super) pass: Pass,
}

/// Walks the bytes and writes the record.
///
/// # Safety
/// The current thread is in the receive call.
#[inline(always)]
pub(super) unsafe fn record(socket: &mut TrackedSocket, received: &Received<'_>) {
    let start = received.tcp.copied_seq.wrapping_sub(received.len);
    get_in_step(socket, start);
    socket.walk.next_seq = received.tcp.copied_seq;
    let Some(scratch) = RECV_SCRATCH.get_ptr_mut(received.pass as u32) else {
        return;
    };
    let mut flags = if continues(received.call, received.tid) {
        receive_flags::CALL_CONTINUES
    } else {
        0
    };
    let buffers = if received.flags & MSG_TRUNC == 0 {
        Buffers::of(received.call)
    } else {
        None
    };
    if buffers.is_none() {
        count(ProbeCounter::BufferUnknown);
        // Not for a stream that is most likely something else: it costs every call on the machine.
        let likely = !discovers() || socket.is_fix() || socket.from_start != 0;
        if received.call.is_recvmmsg() && likely {
            flags |= receive_flags::SYS_ENTER_WANTED;
        }
    }
    let (total, followed) = walk(socket, scratch, buffers, start, received.len);
    let mut first_byte_passed = false;
    if !followed {
        flags |= receive_flags::BYTES_MISSING;
        socket.walk.lose_step();
        // What comes next is no longer the first byte of the stream.
        first_byte_passed = socket.from_start != 0;
        socket.from_start = 0;
    }
    if socket.is_other() {
        socket::close(socket, CloseReason::NotFix);
        return;
    }
    // Found in mid-stream, no message begun yet: it may be anything, so nothing is tracked.
    let undecided = socket.is_undecided() && socket.from_start == 0 && !first_byte_passed;
    if undecided && flags & receive_flags::SYS_ENTER_WANTED == 0 {
        socket.searched_bytes = socket.searched_bytes.saturating_add(received.len);
        if socket.searched_bytes >= MAX_SEARCHED_BYTES {
            socket.content = StreamContent::Other as u32;
            socket::close(socket, CloseReason::NotFix);
        }
        return;
    }
    if !undecided {
        flags |= read_by(socket, received);
    }
    // SAFETY: the caller's.
    unsafe { emit(socket, scratch, received, flags, total) };
}

/// Prepares the walk for bytes that begin at `start`.
#[inline(always)]
fn get_in_step(socket: &mut TrackedSocket, start: u32) {
    if start != socket.walk.next_seq {
        // Bytes were not observed (splice, a lost hook): where a message begins is uncertain.
        socket.walk.lose_step();
    }
    if socket.is_undecided()
        && socket.from_start != 0
        && socket.walk.next_seq == start
        && socket.walk.mode == walk_mode::SEARCH
    {
        // The first byte of the stream: either a message begins here, or it is not FIX.
        socket.walk.begin_message(start);
    }
}

/// The current thread is the socket's reader, and its hand-off is pending. Returns flags of the
/// record.
#[inline(always)]
fn read_by(socket: &mut TrackedSocket, received: &Received<'_>) -> u32 {
    let mut flags = 0;
    if let Some(thread) = track_reader(received.tid, received.tgid, received.at) {
        // SAFETY: a map value.
        let thread = unsafe { &mut *thread };
        if socket.reader != received.tid {
            emit_history(thread, socket);
        }
        let fd = received.call.args[0] as i32;
        flags = handoff::expect(thread, received.sk, socket.id, fd);
    }
    socket.reader = received.tid;
    socket.tgid = received.tgid;
    flags
}

/// Tracks the current thread from now on; `None` (and counted) when the table is full.
#[inline(always)]
fn track_reader(tid: u32, tgid: u32, now: u64) -> Option<*mut TrackedThread> {
    if let Some(tracked) = thread::lookup(tid) {
        // SAFETY: a map value.
        let thread = unsafe { &mut *tracked };
        thread.is_holder = 0;
        catch_up::acts(thread, now);
        return Some(tracked);
    }
    thread::begin((tid, tgid), now, false)
}

/// Completes the record of `total` bytes, slices included, and writes it.
///
/// # Safety
/// `scratch` is a map value.
#[inline(always)]
unsafe fn emit(
    socket: &mut TrackedSocket,
    scratch: *mut RecvScratch,
    received: &Received<'_>,
    flags: u32,
    total: u64,
) {
    let total = opaque(total);
    if total > MAX_RECORD_BYTES as u64 || total < EMPTY_RECORD_BYTES {
        return;
    }
    let tcp = received.tcp;
    // SAFETY: the record begins the scratch; total lies within it.
    unsafe {
        let record = scratch.cast::<BytesReceived>();
        (*record).head.kind = RecordKind::BytesReceived as u32;
        (*record).head.lost = socket.lost;
        (*record).head.socket_id = socket.id;
        (*record).reader = snapshot(received.tid, received.at);
        (*record).acked = tcp.acked;
        (*record).tgid = received.tgid;
        (*record).fd = received.call.args[0] as i32;
        (*record).end_seq = tcp.copied_seq;
        (*record).len = received.len;
        (*record).rcv_nxt = tcp.rcv_nxt;
        (*record).offered = tcp.offered;
        (*record).min_usable = socket.min_usable_window(tcp.window, tcp.mss);
        (*record).flags = flags;
        (*record).slice_bytes = (total - EMPTY_RECORD_BYTES) as u32;
        (*record).syscall = received.call.number as u32;
        let urgent = flags & receive_flags::SYS_ENTER_WANTED != 0;
        if !emit_bytes(scratch.cast(), total, urgent, ProbeCounter::ReceiveLost) {
            socket.lost += 1;
        }
    }
}
