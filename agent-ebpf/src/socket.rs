//! Which sockets are watched: those a watched process connects, accepts, has open, or reads.

use agent_common::{
    ABSENT, CloseReason, Closed, Count, Head, Kind, OpenReason, Opened, Phase, Socket, walk_mode,
};
use aya_ebpf::{
    cty::c_void,
    helpers::generated::{bpf_get_smp_processor_id, bpf_probe_read_kernel, bpf_sock_from_file},
};

use crate::{
    bits::field,
    current::{current, now, wanted},
    globals::{
        SOCK_DADDR, SOCK_DPORT, SOCK_FAMILY, SOCK_NUM, SOCK_RCV_SADDR, SOCK_STATE, SOCK_V6_DADDR,
        SOCK_V6_RCV_SADDR, SOCKET_SK, TASK_TGID,
    },
    maps::{LISTENING, NEXT_ID, SOCKETS, ZERO_SOCKET},
    note::Note,
    ring::{count, emit},
    tcp,
};

/// include/net/tcp_states.h
const TCP_ESTABLISHED: u32 = 1;
const TCP_SYN_SENT: u32 = 2;
const TCP_SYN_RECV: u32 = 3;
const TCP_CLOSE_WAIT: u32 = 8;
const TCP_LISTEN: u32 = 10;

const AF_INET6: u32 = 10;

/// A number no other socket gets: this CPU's count, and the CPU.
#[inline(always)]
fn next_id() -> u64 {
    const CPU_BITS: u32 = 16;
    match NEXT_ID.get_ptr_mut(0) {
        Some(n) => {
            // SAFETY: a map value of this CPU, and no arguments.
            unsafe {
                *n += 1;
                (*n << CPU_BITS) | u64::from(bpf_get_smp_processor_id() & ((1 << CPU_BITS) - 1))
            }
        }
        None => 0,
    }
}

/// Puts the socket on the list; `None` (and counted) when the list is full.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
unsafe fn insert(sk: *const c_void, tgid: u32, phase: Phase) -> Option<*mut Socket> {
    let zero = ZERO_SOCKET.get(0)?;
    if SOCKETS.insert(sk as u64, zero, 0).is_err() {
        count(Count::SocketsFull);
        return None;
    }
    let socket = SOCKETS.get_ptr_mut(sk as u64)?;
    // SAFETY: a map value.
    unsafe {
        (*socket).id = next_id();
        (*socket).tgid = tgid;
        (*socket).phase = phase as u32;
    }
    Some(socket)
}

/// From here on the socket's arrivals are seen: tells the agent what it is.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
unsafe fn open(sk: *const c_void, socket: &mut Socket, reason: OpenReason) {
    // SAFETY: the caller's; offsets are the running kernel's.
    unsafe {
        let Some(tcp) = tcp::receive(sk) else {
            return;
        };
        let from_start = reason as u32 == OpenReason::Connected as u32
            || reason as u32 == OpenReason::Accepted as u32;
        socket.phase = Phase::Undecided as u32;
        socket.seen = tcp.rcv_nxt;
        socket.from_start = u32::from(from_start);
        if !from_start {
            // The largest window announced so far was not seen; it is near the most there may be.
            socket.max_window = tcp.clamp;
        }
        socket.walk.mode = walk_mode::LOST;
        socket.walk.at = tcp.copied;
        let base = sk.cast::<u8>();
        let family = u32::from(field::<u16>(base, SOCK_FAMILY.load()));
        let mut record = Opened {
            head: Head {
                kind: Kind::Opened as u32,
                lost: socket.lost,
                socket: socket.id,
            },
            at: now(),
            local: [0; 16],
            remote: [0; 16],
            acked: tcp.acked,
            family,
            local_port: u32::from(field::<u16>(base, SOCK_NUM.load())),
            remote_port: u32::from(u16::from_be(field::<u16>(base, SOCK_DPORT.load()))),
            rcv_nxt: tcp.rcv_nxt,
            copied: tcp.copied,
            tgid: socket.tgid,
            reason: reason as u32,
            offered: tcp.offered,
            least: tcp.least(socket),
            reserved: 0,
        };
        if family == AF_INET6 && SOCK_V6_DADDR.load() != ABSENT {
            address(&mut record.local, base, SOCK_V6_RCV_SADDR.load(), 16);
            address(&mut record.remote, base, SOCK_V6_DADDR.load(), 16);
        } else {
            address(&mut record.local, base, SOCK_RCV_SADDR.load(), 4);
            address(&mut record.remote, base, SOCK_DADDR.load(), 4);
        }
        if !emit(&record, Count::LifeLost) {
            socket.lost += 1;
        }
    }
}

#[inline(always)]
unsafe fn address(to: &mut [u8; 16], sk: *const u8, offset: u32, len: u32) {
    // SAFETY: a copy into the record, from an address the helper checks.
    unsafe {
        bpf_probe_read_kernel(to.as_mut_ptr().cast(), len, sk.add(offset as usize).cast());
    }
}

/// First read of a socket nobody announced.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
pub(crate) unsafe fn found_by_read(sk: *const c_void, tgid: u32) -> Option<*mut Socket> {
    // SAFETY: the caller's.
    unsafe {
        tcp::receive(sk)?;
        let socket = insert(sk, tgid, Phase::Undecided)?;
        open(sk, &mut *socket, OpenReason::Read);
        Some(socket)
    }
}

/// A socket a watched process had open when the agent started.
///
/// # Safety
/// `task` and `file` are the iterator's.
#[inline(always)]
pub(crate) unsafe fn present(task: *const u8, file: *const c_void) {
    // SAFETY: the caller's; the helper checks that the file is a socket.
    unsafe {
        let tgid: u32 = field(task, TASK_TGID.load());
        if !wanted(tgid) {
            return;
        }
        let socket = bpf_sock_from_file(file.cast_mut().cast());
        if socket.is_null() {
            return;
        }
        let sk: *const c_void = field(socket.cast(), SOCKET_SK.load());
        if sk.is_null() || tcp::receive(sk).is_none() {
            return;
        }
        let state = u32::from(field::<u8>(sk.cast(), SOCK_STATE.load()));
        if state == TCP_LISTEN {
            listen(sk, tgid);
        } else if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT)
            && SOCKETS.get_ptr(sk as u64).is_none()
            && let Some(new) = insert(sk, tgid, Phase::Undecided)
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
        count(Count::SocketsFull);
    }
}

/// A TCP socket changes its state: connections of a watched process are on the list before their
/// first byte.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn changed_state(sk: *const c_void, old: u32, new: u32) -> Note {
    // SAFETY: the caller's.
    unsafe {
        match new {
            // connect(2) and listen(2): in the caller's context.
            TCP_SYN_SENT => {
                let (_, tgid) = current();
                if wanted(tgid) {
                    insert(sk, tgid, Phase::Connecting);
                }
            }
            TCP_LISTEN => {
                let (_, tgid) = current();
                if wanted(tgid) {
                    listen(sk, tgid);
                }
            }
            TCP_ESTABLISHED if old == TCP_SYN_SENT => {
                if let Some(socket) = SOCKETS.get_ptr_mut(sk as u64) {
                    open(sk, &mut *socket, OpenReason::Connected);
                    return Note::Watched((*socket).id);
                }
            }
            TCP_ESTABLISHED if old == TCP_SYN_RECV => {
                let port = u32::from(field::<u16>(sk.cast(), SOCK_NUM.load()));
                if let Some(tgid) = LISTENING.get_ptr(port)
                    && let Some(socket) = insert(sk, *tgid, Phase::Undecided)
                {
                    open(sk, &mut *socket, OpenReason::Accepted);
                    return Note::Watched((*socket).id);
                }
            }
            _ => {}
        }
    }
    Note::Nothing
}

/// Tells the agent that the socket is watched no longer.
#[inline(always)]
pub(crate) fn closed(socket: &mut Socket, reason: CloseReason) {
    let record = Closed {
        head: Head {
            kind: Kind::Closed as u32,
            lost: socket.lost,
            socket: socket.id,
        },
        at: now(),
        reason: reason as u32,
        reserved: 0,
    };
    if !emit(&record, Count::LifeLost) {
        socket.lost += 1;
    }
}

/// `sk` goes away.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn destroyed(sk: *const c_void) {
    let Some(socket) = SOCKETS.get_ptr_mut(sk as u64) else {
        return;
    };
    // SAFETY: a map value.
    unsafe {
        let phase = (*socket).phase;
        if phase != Phase::Other as u32 && phase != Phase::Connecting as u32 {
            closed(&mut *socket, CloseReason::Destroyed);
        }
    }
    // Fails only when it is gone already.
    let _gone = SOCKETS.remove(sk as u64);
}
