//! The table of tracked sockets, and the records of entering and leaving it.

use agent_common::{
    ABSENT, CloseReason, OpenReason, ProbeCounter, RecordHead, RecordKind, SocketClosed,
    SocketOpened, StreamContent, TrackedSocket, ids::socket_id,
};
use aya_ebpf::{
    cty::c_void,
    helpers::generated::{bpf_get_smp_processor_id, bpf_probe_read_kernel},
};

use super::tcp_sock::receive_side;
use crate::{
    globals::{
        SOCK_DADDR, SOCK_DPORT, SOCK_FAMILY, SOCK_NUM, SOCK_RCV_SADDR, SOCK_V6_DADDR,
        SOCK_V6_RCV_SADDR,
    },
    maps::{SOCKETS, ZERO_SOCKET},
    memory::field,
    ring_buffer::{count, emit},
    task::now,
    thread::snapshot,
};

const AF_INET6: u32 = 10;

/// A number that no other socket gets.
#[inline(always)]
fn next_id() -> u64 {
    // SAFETY: no arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    socket_id(now(), cpu)
}

/// Puts the socket into the table; `None` (and counted) when the table is full.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
pub(super) unsafe fn insert(
    sk: *const c_void,
    tgid: u32,
    content: StreamContent,
) -> Option<*mut TrackedSocket> {
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
        (*socket).content = content as u32;
    }
    Some(socket)
}

/// Takes the socket out of the table.
#[inline(always)]
pub(crate) fn remove(sk: u64) {
    // Fails only when it is gone already.
    let _gone = SOCKETS.remove(sk);
}

/// From here on the socket's arrivals are observed: writes the record of what it is.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
pub(super) unsafe fn open(sk: *const c_void, socket: &mut TrackedSocket, reason: OpenReason) {
    // SAFETY: the caller's; offsets are the running kernel's.
    unsafe {
        let Some(tcp) = receive_side(sk) else {
            return;
        };
        let from_start = reason as u32 == OpenReason::Connected as u32
            || reason as u32 == OpenReason::Accepted as u32;
        socket.content = StreamContent::Undecided as u32;
        socket.rcv_nxt = tcp.rcv_nxt;
        socket.from_start = u32::from(from_start);
        if !from_start {
            // The largest window announced so far was not observed; it is near the most there may
            // be.
            socket.max_window = tcp.clamp;
        }
        socket.walk.lose_step();
        socket.walk.next_seq = tcp.copied_seq;
        let base = sk.cast::<u8>();
        let family = u32::from(field::<u16>(base, SOCK_FAMILY.load()));
        let mut record = SocketOpened {
            head: RecordHead {
                kind: RecordKind::SocketOpened as u32,
                lost: socket.lost,
                socket_id: socket.id,
            },
            at_ns: now(),
            sk: sk as u64,
            local_address: [0; 16],
            remote_address: [0; 16],
            acked: tcp.acked,
            family,
            local_port: u32::from(field::<u16>(base, SOCK_NUM.load())),
            remote_port: u32::from(u16::from_be(field::<u16>(base, SOCK_DPORT.load()))),
            rcv_nxt: tcp.rcv_nxt,
            copied_seq: tcp.copied_seq,
            tgid: socket.tgid,
            reason: reason as u32,
            offered: tcp.offered,
            min_usable: socket.min_usable_window(tcp.window, tcp.mss),
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

/// Writes the record that the socket is tracked no longer.
#[inline(always)]
pub(crate) fn close(socket: &mut TrackedSocket, reason: CloseReason) {
    let record = SocketClosed {
        head: RecordHead {
            kind: RecordKind::SocketClosed as u32,
            lost: socket.lost,
            socket_id: socket.id,
        },
        reader: snapshot(socket.reader, now()),
        reason: reason as u32,
        reserved: 0,
    };
    if !emit(&record, ProbeCounter::LifecycleLost) {
        socket.lost += 1;
    }
}
