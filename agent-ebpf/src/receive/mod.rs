//! Receive completion: which bytes which thread got, when, and what of them to look at.

use agent_common::{
    BytesReceived, CloseReason, MAX_RECORD_BYTES, ProbeCounter, RecordKind, StreamContent,
    TrackedSocket, receive_flags, walk_mode,
};
use aya_ebpf::{cty::c_void, helpers::generated::bpf_get_current_task_btf};

use crate::{
    arch::{self, Syscall, nr},
    bits::opaque,
    current::{current, discovers, now, wanted},
    handoff,
    maps::{RECV_SCRATCH, SOCKETS},
    note::Note,
    ring::{count, emit_bytes},
    snapshot, socket, tcp,
    tcp::Receive,
    thread,
    user_buffer::{Buffers, continues},
    walk,
};

/// Bytes of a stream found in its middle without the beginning of a message: it is not FIX.
const ENOUGH_LOOKED: u32 = 256 << 10;

/// include/linux/socket.h
const MSG_OOB: i32 = 1;
const MSG_PEEK: i32 = 2;
const MSG_TRUNC: i32 = 0x20;

/// Which look at a receive call it is. The kernel leaves out a run of a program that is running on
/// the CPU already (kernel/trace/bpf_trace.c `__bpf_trace_run`). Where a thread can lose its CPU
/// within a tracepoint, that is so for the calls of those who have it meanwhile: a second program
/// looks again at what the first one did not see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    First,
    Second,
}

/// The current thread's receive call on `sk` returned `ret` bytes or a negative error.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn received(sk: *const c_void, ret: i32, flags: i32, look: Look) -> Note {
    if look == Look::Second && (ret <= 0 || flags & (MSG_PEEK | MSG_OOB) != 0) {
        return Note::Nothing;
    }
    let found = SOCKETS.get_ptr_mut(sk as u64);
    let (tid, tgid) = current();
    let socket = match found {
        Some(known) => known,
        None => {
            if ret <= 0 || !wanted(tgid) {
                return Note::Nothing;
            }
            if discovers() && flags & (MSG_PEEK | MSG_OOB) != 0 {
                return Note::Nothing;
            }
            // SAFETY: the caller's; this is a receive call of the current thread.
            match unsafe { socket::found_by_read(sk, tgid, ret as u32) } {
                Some(new) => new,
                None => return Note::Nothing,
            }
        }
    };
    // SAFETY: a map value.
    let socket = unsafe { &mut *socket };
    if socket.content == StreamContent::Other as u32 || flags & MSG_OOB != 0 {
        return Note::Nothing;
    }
    if flags & MSG_PEEK != 0 {
        count(ProbeCounter::ReceivePeeked);
        return Note::Nothing;
    }
    let at = now();
    // SAFETY: the current task is known to the verifier.
    let call = unsafe { arch::syscall(bpf_get_current_task_btf()) };
    if ret <= 0 {
        if !continues(&call, tid) {
            handoff::empty(socket, tid, at);
        }
        return Note::Nothing;
    }
    if !wanted(tgid) {
        // Another process on the same port (another network namespace), or one that is left alone.
        socket.content = StreamContent::Other as u32;
        socket::closed(socket, CloseReason::NotFix);
        let id = socket.id;
        if discovers() {
            thread::untrack(tid);
            let _gone = SOCKETS.remove(sk as u64);
        }
        return Note::Other(id);
    }
    // SAFETY: the caller's; the current task is known to the verifier.
    unsafe {
        let Some(mut tcp) = tcp::receive(sk) else {
            return Note::Nothing;
        };
        // A FIN takes a sequence number of its own (net/ipv4/tcp.c `tcp_recvmsg_locked`,
        // found_fin_ok): it is no byte of the stream.
        let start = tcp.copied.wrapping_sub(ret as u32);
        let next = socket.walk.next_seq.wrapping_add(1);
        if look == Look::Second
            && (tcp.copied == socket.walk.next_seq || (tcp.copied == next && tcp::fin_received(sk)))
        {
            return Note::Nothing;
        }
        if start == next && tcp::fin_received(sk) {
            tcp.copied = tcp.copied.wrapping_sub(1);
        }
        let (phase, mode) = (socket.content, socket.walk.mode);
        bytes(
            socket,
            sk as u64,
            &tcp,
            &call,
            ret as u32,
            flags,
            (tid, tgid),
            at,
            look,
        );
        if phase != socket.content {
            let id = socket.id;
            if socket.content == StreamContent::Fix as u32 {
                count(ProbeCounter::StreamFix);
                return Note::Fix(id);
            }
            socket::dismissed(sk);
            return Note::Other(id);
        }
        if socket.content == StreamContent::Fix as u32
            && mode != walk_mode::SEARCH
            && socket.walk.mode == walk_mode::SEARCH
        {
            return Note::OutOfStep(socket.id);
        }
    }
    Note::Nothing
}

/// Looks at the bytes and hands over the record.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
unsafe fn bytes(
    socket: &mut TrackedSocket,
    sk: u64,
    tcp: &Receive,
    call: &Syscall,
    len: u32,
    flags: i32,
    (tid, tgid): (u32, u32),
    at: u64,
    look: Look,
) {
    let start = tcp.copied.wrapping_sub(len);
    if start != socket.walk.next_seq {
        // Bytes went by unseen (splice, a lost hook): where a message begins is not known.
        socket.walk.mode = walk_mode::SEARCH;
    }
    if socket.content == StreamContent::Undecided as u32
        && socket.from_start != 0
        && socket.walk.next_seq == start
        && socket.walk.mode == walk_mode::SEARCH
    {
        // The first byte of the stream: either a message begins here, or it is not FIX.
        socket.walk.mode = walk_mode::PREFIX;
        socket.walk.message_seq = start;
        socket.walk.prefix_len = 0;
    }
    socket.walk.next_seq = tcp.copied;
    let Some(scratch) = RECV_SCRATCH.get_ptr_mut(look as u32) else {
        return;
    };
    let mut flagged = if continues(call, tid) {
        receive_flags::CALL_CONTINUES
    } else {
        0
    };
    let buffers = if flags & MSG_TRUNC == 0 {
        Buffers::of(call)
    } else {
        None
    };
    if buffers.is_none() {
        count(ProbeCounter::BufferUnknown);
        // Not for a stream that is most likely something else: it costs every call on the machine.
        let likely =
            !discovers() || socket.content == StreamContent::Fix as u32 || socket.from_start != 0;
        if call.number == nr::RECVMMSG && likely {
            flagged |= receive_flags::SYS_ENTER_WANTED;
        }
    }
    let (total, followed) = walk::walk(socket, scratch, buffers, start, len);
    let mut first_byte_seen = false;
    if !followed {
        flagged |= receive_flags::BYTES_MISSING;
        socket.walk.mode = walk_mode::SEARCH;
        // What comes next is no longer the first byte of the stream.
        first_byte_seen = socket.from_start != 0;
        socket.from_start = 0;
    }
    if socket.content == StreamContent::Other as u32 {
        socket::closed(socket, CloseReason::NotFix);
        return;
    }
    // Found in mid-stream, no message begun yet: it may be anything, so nothing is tracked.
    let undecided = socket.content == StreamContent::Undecided as u32
        && socket.from_start == 0
        && !first_byte_seen;
    if undecided && flagged & receive_flags::SYS_ENTER_WANTED == 0 {
        socket.searched_bytes = socket.searched_bytes.saturating_add(len);
        if socket.searched_bytes >= ENOUGH_LOOKED {
            socket.content = StreamContent::Other as u32;
            socket::closed(socket, CloseReason::NotFix);
        }
        return;
    }
    if !undecided {
        if let Some(thread) = thread::track(tid, tgid, at) {
            // SAFETY: a map value.
            let thread = unsafe { &mut *thread };
            if socket.reader != tid {
                thread::tell_past(thread, socket);
            }
            flagged |= handoff::expect(thread, sk, socket.id, call.args[0] as i32);
        }
        socket.reader = tid;
        socket.tgid = tgid;
    }
    let total = opaque(total);
    if total > MAX_RECORD_BYTES as u64 || total < size_of::<BytesReceived>() as u64 {
        return;
    }
    // SAFETY: the record begins the scratch; total lies within it.
    unsafe {
        let record = scratch.cast::<BytesReceived>();
        (*record).head.kind = RecordKind::BytesReceived as u32;
        (*record).head.lost = socket.lost;
        (*record).head.socket_id = socket.id;
        (*record).reader = snapshot::of(tid, at);
        (*record).acked = tcp.acked;
        (*record).tgid = tgid;
        (*record).fd = call.args[0] as i32;
        (*record).end_seq = tcp.copied;
        (*record).len = len;
        (*record).rcv_nxt = tcp.rcv_nxt;
        (*record).offered = tcp.offered;
        (*record).min_usable = tcp.least(socket);
        (*record).flags = flagged;
        (*record).slice_bytes = (total - size_of::<BytesReceived>() as u64) as u32;
        (*record).syscall = call.number as u32;
        let urgent = flagged & receive_flags::SYS_ENTER_WANTED != 0;
        if !emit_bytes(scratch.cast(), total, urgent, ProbeCounter::ReceiveLost) {
            socket.lost += 1;
        }
    }
}
