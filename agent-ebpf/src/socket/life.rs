//! Sockets of targets, from the first state to the last.

use agent_common::{CloseReason, OpenReason, ProbeCounter, StreamContent};
use aya_ebpf::{cty::c_void, helpers::generated::bpf_sock_from_file};

use super::{
    table::{close, insert, open, remove},
    tcp_sock::receive_side,
};
use crate::{
    diagnostics::Finding,
    globals::{SOCK_NUM, SOCK_STATE, SOCKET_SK, TASK_TGID},
    maps::{LISTENING, OTHERS, SOCKETS},
    memory::field,
    ring_buffer::count,
    task::{current, discovers, is_target},
};

/// include/net/tcp_states.h
const TCP_ESTABLISHED: u32 = 1;
const TCP_SYN_SENT: u32 = 2;
const TCP_SYN_RECV: u32 = 3;
const TCP_CLOSE_WAIT: u32 = 8;
const TCP_LISTEN: u32 = 10;

/// A socket a target had open when the agent started.
///
/// # Safety
/// `task` and `file` are the iterator's.
#[inline(always)]
pub(crate) unsafe fn present(task: *const u8, file: *const c_void) {
    // SAFETY: the caller's; the helper checks that the file is a socket.
    unsafe {
        let tgid: u32 = field(task, TASK_TGID.load());
        if !is_target(tgid) {
            return;
        }
        let socket = bpf_sock_from_file(file.cast_mut().cast());
        if socket.is_null() {
            return;
        }
        let sk: *const c_void = field(socket.cast(), SOCKET_SK.load());
        if sk.is_null() || receive_side(sk).is_none() {
            return;
        }
        let state = u32::from(field::<u8>(sk.cast(), SOCK_STATE.load()));
        if state == TCP_LISTEN {
            listen(sk, tgid);
        } else if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT)
            && SOCKETS.get_ptr(sk as u64).is_none()
            && let Some(new) = insert(sk, tgid, StreamContent::Undecided)
        {
            open(sk, &mut *new, OpenReason::Present);
        }
    }
}

#[inline(always)]
unsafe fn listen(sk: *const c_void, tgid: u32) {
    // SAFETY: the caller's socket; offsets are the running kernel's.
    let port = u32::from(unsafe { field::<u16>(sk.cast(), SOCK_NUM.load()) });
    if LISTENING.insert(port, tgid, 0).is_err() {
        count(ProbeCounter::SocketMapFull);
    }
}

/// A TCP socket changes its state: connections of a target are in the table before their first
/// byte.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn changed_state(sk: *const c_void, old: u32, new: u32) -> Finding {
    if discovers() {
        // A socket that is used again carries another stream.
        if new == TCP_SYN_SENT {
            let _gone = OTHERS.remove(sk as u64);
        }
        return Finding::Nothing;
    }
    // SAFETY: the caller's.
    unsafe {
        match new {
            // connect(2) and listen(2): in the caller's context.
            TCP_SYN_SENT => {
                let (_, tgid) = current();
                if is_target(tgid) {
                    insert(sk, tgid, StreamContent::Connecting);
                }
            }
            TCP_LISTEN => {
                let (_, tgid) = current();
                if is_target(tgid) {
                    listen(sk, tgid);
                }
            }
            TCP_ESTABLISHED if old == TCP_SYN_SENT => {
                if let Some(socket) = SOCKETS.get_ptr_mut(sk as u64) {
                    open(sk, &mut *socket, OpenReason::Connected);
                    return Finding::Tracked((*socket).id);
                }
            }
            TCP_ESTABLISHED if old == TCP_SYN_RECV => {
                let port = u32::from(field::<u16>(sk.cast(), SOCK_NUM.load()));
                if let Some(tgid) = LISTENING.get_ptr(port)
                    && let Some(socket) = insert(sk, *tgid, StreamContent::Undecided)
                {
                    open(sk, &mut *socket, OpenReason::Accepted);
                    return Finding::Tracked((*socket).id);
                }
            }
            _ => {}
        }
    }
    Finding::Nothing
}

/// `sk` goes away.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn destroyed(sk: *const c_void) {
    let Some(socket) = SOCKETS.get_ptr_mut(sk as u64) else {
        if discovers() {
            let _gone = OTHERS.remove(sk as u64);
        }
        return;
    };
    // SAFETY: a map value.
    unsafe {
        let content = (*socket).content;
        if content != StreamContent::Other as u32 && content != StreamContent::Connecting as u32 {
            close(&mut *socket, CloseReason::Destroyed);
        }
    }
    remove(sk as u64);
}
