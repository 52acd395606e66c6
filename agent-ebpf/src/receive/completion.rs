//! The return of a receive call: whether it is one of ours, and what becomes of the socket.

use agent_common::{
    CloseReason, ProbeCounter, StreamContent, TrackedSocket, header_walk::walk_mode, window,
};
use aya_ebpf::cty::c_void;

use super::record::{Pass, Received, record};
use crate::{
    diagnostics::Finding,
    handoff,
    maps::SOCKETS,
    ring_buffer::count,
    scheduler, socket,
    task::{current, current_syscall, discovers, is_target, now},
    user_buffers::continues,
};

/// include/linux/socket.h
const MSG_OOB: i32 = 1;
const MSG_PEEK: i32 = 2;

/// The current thread's receive call on `sk` returned `ret` bytes or a negative error.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn received(sk: *const c_void, ret: i32, flags: i32, pass: Pass) -> Finding {
    if pass == Pass::Second && (ret <= 0 || flags & (MSG_PEEK | MSG_OOB) != 0) {
        return Finding::Nothing;
    }
    let (tid, tgid) = current();
    // SAFETY: the caller's; this is a receive call of the current thread.
    let Some(socket) = (unsafe { tracked(sk, ret, flags, tgid) }) else {
        return Finding::Nothing;
    };
    // SAFETY: a map value.
    let socket = unsafe { &mut *socket };
    if socket.is_other() || flags & MSG_OOB != 0 {
        return Finding::Nothing;
    }
    if flags & MSG_PEEK != 0 {
        count(ProbeCounter::ReceivePeeked);
        return Finding::Nothing;
    }
    let at = now();
    let call = current_syscall();
    if ret <= 0 {
        if !continues(&call, tid) {
            handoff::returned_empty(socket, tid, at);
        }
        return Finding::Nothing;
    }
    if !is_target(tgid) {
        return given_up(sk, socket, tid);
    }
    // SAFETY: the caller's.
    let Some(mut tcp) = (unsafe { socket::receive_side(sk) }) else {
        return Finding::Nothing;
    };
    // SAFETY: the caller's.
    let fin = || unsafe { socket::fin_received(sk) };
    let next_seq = socket.walk.next_seq;
    if pass == Pass::Second && window::is_followed(tcp.copied_seq, next_seq, fin) {
        return Finding::Nothing;
    }
    tcp.copied_seq = window::end_of_received(tcp.copied_seq, ret as u32, next_seq, fin);
    let (content, mode) = (socket.content, socket.walk.mode);
    let received = Received {
        sk: sk as u64,
        tcp: &tcp,
        call: &call,
        len: ret as u32,
        flags,
        tid,
        tgid,
        at,
        pass,
    };
    // SAFETY: the caller's.
    unsafe { record(socket, &received) };
    if content != socket.content {
        let id = socket.id;
        if socket.is_fix() {
            count(ProbeCounter::StreamFix);
            return Finding::Fix(id);
        }
        socket::dismissed(sk);
        return Finding::Other(id);
    }
    if socket.is_fix() && mode != walk_mode::SEARCH && socket.walk.mode == walk_mode::SEARCH {
        return Finding::OutOfStep(socket.id);
    }
    Finding::Nothing
}

/// The tracked socket; one that is found by this receive call is tracked from now on.
///
/// # Safety
/// `sk` is the tracepoint's argument, and the current thread is in a receive call on it.
#[inline(always)]
unsafe fn tracked(
    sk: *const c_void,
    ret: i32,
    flags: i32,
    tgid: u32,
) -> Option<*mut TrackedSocket> {
    if let Some(socket) = SOCKETS.get_ptr_mut(sk as u64) {
        return Some(socket);
    }
    if ret <= 0 || !is_target(tgid) {
        return None;
    }
    if discovers() && flags & (MSG_PEEK | MSG_OOB) != 0 {
        return None;
    }
    // SAFETY: the caller's.
    unsafe { socket::found_by_read(sk, tgid, ret as u32) }
}

/// The socket is read by a process that is no target: another one on the same port (in another
/// network namespace), or one that is left alone.
#[inline(always)]
fn given_up(sk: *const c_void, socket: &mut TrackedSocket, tid: u32) -> Finding {
    socket.content = StreamContent::Other as u32;
    socket::close(socket, CloseReason::NotFix);
    let id = socket.id;
    if discovers() {
        scheduler::untrack(tid);
        socket::remove(sk as u64);
    }
    Finding::Other(id)
}
