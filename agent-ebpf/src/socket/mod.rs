//! Which sockets are watched: those a watched process connects, accepts, has open, or reads.

use agent_common::{
    ABSENT, CloseReason, OpenReason, ProbeCounter, RecordHead, RecordKind, SocketClosed,
    SocketOpened, StreamContent, TrackedSocket, walk_mode,
};
use aya_ebpf::{
    cty::c_void,
    helpers::generated::{
        bpf_get_current_task_btf, bpf_get_smp_processor_id, bpf_probe_read_kernel,
        bpf_probe_read_user, bpf_sock_from_file,
    },
};

use crate::{
    arch,
    bits::{field, opaque},
    current::{current, discovers, now, wanted},
    globals::{
        SOCK_DADDR, SOCK_DPORT, SOCK_FAMILY, SOCK_NUM, SOCK_RCV_SADDR, SOCK_STATE, SOCK_V6_DADDR,
        SOCK_V6_RCV_SADDR, SOCKET_SK, TASK_TGID,
    },
    maps::{LISTENING, OTHERS, SOCKETS, ZERO_SOCKET},
    note::Note,
    ring::{count, emit},
    tcp,
    user_buffer::{self, Buffers},
};

/// include/net/tcp_states.h
const TCP_ESTABLISHED: u32 = 1;
const TCP_SYN_SENT: u32 = 2;
const TCP_SYN_RECV: u32 = 3;
const TCP_CLOSE_WAIT: u32 = 8;
const TCP_LISTEN: u32 = 10;

const AF_INET6: u32 = 10;

/// A number no other socket gets: the instant, and the CPU. A count of this CPU would not do where
/// a thread can lose its CPU within a tracepoint.
#[inline(always)]
fn next_id() -> u64 {
    const CPU_BITS: u32 = 10;
    // SAFETY: no arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    (now() << CPU_BITS) | u64::from(cpu & ((1 << CPU_BITS) - 1))
}

/// Puts the socket on the list; `None` (and counted) when the list is full.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
unsafe fn insert(sk: *const c_void, tgid: u32, phase: StreamContent) -> Option<*mut TrackedSocket> {
    let zero = ZERO_SOCKET.get(0)?;
    if SOCKETS.insert(sk as u64, zero, 0).is_err() {
        count(ProbeCounter::SocketMapFull);
        return None;
    }
    let socket = SOCKETS.get_ptr_mut(sk as u64)?;
    // SAFETY: a map value.
    unsafe {
        (*socket).id = next_id();
        (*socket).tgid = tgid;
        (*socket).content = phase as u32;
    }
    Some(socket)
}

/// From here on the socket's arrivals are seen: tells the agent what it is.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
unsafe fn open(sk: *const c_void, socket: &mut TrackedSocket, reason: OpenReason) {
    // SAFETY: the caller's; offsets are the running kernel's.
    unsafe {
        let Some(tcp) = tcp::receive(sk) else {
            return;
        };
        let from_start = reason as u32 == OpenReason::Connected as u32
            || reason as u32 == OpenReason::Accepted as u32;
        socket.content = StreamContent::Undecided as u32;
        socket.rcv_nxt = tcp.rcv_nxt;
        socket.from_start = u32::from(from_start);
        if !from_start {
            // The largest window announced so far was not seen; it is near the most there may be.
            socket.max_window = tcp.clamp;
        }
        socket.walk.mode = walk_mode::SEARCH;
        socket.walk.next_seq = tcp.copied;
        let base = sk.cast::<u8>();
        let family = u32::from(field::<u16>(base, SOCK_FAMILY.load()));
        let mut record = SocketOpened {
            head: RecordHead {
                kind: RecordKind::SocketOpened as u32,
                lost: socket.lost,
                socket_id: socket.id,
            },
            at_ns: now(),
            local_address: [0; 16],
            remote_address: [0; 16],
            acked: tcp.acked,
            family,
            local_port: u32::from(field::<u16>(base, SOCK_NUM.load())),
            remote_port: u32::from(u16::from_be(field::<u16>(base, SOCK_DPORT.load()))),
            rcv_nxt: tcp.rcv_nxt,
            copied_seq: tcp.copied,
            tgid: socket.tgid,
            reason: reason as u32,
            offered: tcp.offered,
            min_usable: tcp.least(socket),
            reserved: 0,
        };
        if family == AF_INET6 && SOCK_V6_DADDR.load() != ABSENT {
            address(
                &mut record.local_address,
                base,
                SOCK_V6_RCV_SADDR.load(),
                16,
            );
            address(&mut record.remote_address, base, SOCK_V6_DADDR.load(), 16);
        } else {
            address(&mut record.local_address, base, SOCK_RCV_SADDR.load(), 4);
            address(&mut record.remote_address, base, SOCK_DADDR.load(), 4);
        }
        if !emit(&record, ProbeCounter::LifecycleLost) {
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

/// First read, of `len` bytes, of a socket nobody announced.
///
/// # Safety
/// `sk` is a socket the verifier knows, and the current thread is in a receive call on it.
#[inline(always)]
pub(crate) unsafe fn found_by_read(
    sk: *const c_void,
    tgid: u32,
    len: u32,
) -> Option<*mut TrackedSocket> {
    // SAFETY: the caller's.
    unsafe {
        let mut first = false;
        if discovers() {
            // SAFETY: a map value.
            if OTHERS.get_ptr(sk as u64).is_some() {
                return None;
            }
            let tcp = tcp::receive(sk)?;
            first = tcp.position == Some(u64::from(len));
            if first && !begins_fix(len) {
                other(sk);
                return None;
            }
        } else {
            tcp::receive(sk)?;
        }
        let socket = insert(sk, tgid, StreamContent::Undecided)?;
        open(sk, &mut *socket, OpenReason::Read);
        if first {
            (*socket).from_start = 1;
            (*socket).walk.next_seq = (*socket).walk.next_seq.wrapping_sub(len);
        }
        Some(socket)
    }
}

/// Whether the `len` bytes that the current thread has just received begin a FIX message, as far as
/// they go; also when they cannot be read.
#[inline(always)]
fn begins_fix(len: u32) -> bool {
    const BEGIN: u64 = u64::from_le_bytes(*b"8=FIX\0\0\0");
    // SAFETY: the current task is known to the verifier.
    let call = unsafe { arch::syscall(bpf_get_current_task_btf()) };
    let Some(buffers) = Buffers::of_first(&call) else {
        return true;
    };
    let (mut start, mut room) = (buffers.start, u64::from(len));
    if buffers.count > 0 {
        let Some(first) = user_buffer::iovec(buffers.start) else {
            return true;
        };
        (start, room) = (first.start, first.len);
    }
    let room = if room < u64::from(len) {
        room
    } else {
        u64::from(len)
    };
    let bytes = if room < 5 { room } else { 5 };
    let mut seen = 0u64;
    // SAFETY: at most five bytes into a word; the helper checks the user address.
    let copied = unsafe {
        bpf_probe_read_user(
            (&raw mut seen).cast(),
            opaque(bytes) as u32 & 7,
            start as *const c_void,
        )
    };
    let mask = (1u64 << (8 * (bytes & 7))) - 1;
    copied != 0 || seen == BEGIN & mask
}

/// The socket carries something else: it is looked at no further.
#[inline(always)]
fn other(sk: *const c_void) {
    count(ProbeCounter::StreamNotFix);
    // An LRU map takes what it is given.
    let _kept = OTHERS.insert(sk as u64, 1u8, 0);
}

/// The same of a socket on the list, which it leaves when nobody said that it is to be watched.
#[inline(always)]
pub(crate) fn dismissed(sk: *const c_void) {
    if discovers() {
        other(sk);
        // Fails only when it is gone already.
        let _gone = SOCKETS.remove(sk as u64);
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

/// A TCP socket changes its state: connections of a watched process are on the list before their
/// first byte.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn changed_state(sk: *const c_void, old: u32, new: u32) -> Note {
    if discovers() {
        // A socket that is used again carries another stream.
        if new == TCP_SYN_SENT {
            let _gone = OTHERS.remove(sk as u64);
        }
        return Note::Nothing;
    }
    // SAFETY: the caller's.
    unsafe {
        match new {
            // connect(2) and listen(2): in the caller's context.
            TCP_SYN_SENT => {
                let (_, tgid) = current();
                if wanted(tgid) {
                    insert(sk, tgid, StreamContent::Connecting);
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
                    && let Some(socket) = insert(sk, *tgid, StreamContent::Undecided)
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
pub(crate) fn closed(socket: &mut TrackedSocket, reason: CloseReason) {
    let record = SocketClosed {
        head: RecordHead {
            kind: RecordKind::SocketClosed as u32,
            lost: socket.lost,
            socket_id: socket.id,
        },
        at_ns: now(),
        reason: reason as u32,
        reserved: 0,
    };
    if !emit(&record, ProbeCounter::LifecycleLost) {
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
        if discovers() {
            let _gone = OTHERS.remove(sk as u64);
        }
        return;
    };
    // SAFETY: a map value.
    unsafe {
        let phase = (*socket).content;
        if phase != StreamContent::Other as u32 && phase != StreamContent::Connecting as u32 {
            closed(&mut *socket, CloseReason::Destroyed);
        }
    }
    // Fails only when it is gone already.
    let _gone = SOCKETS.remove(sk as u64);
}
