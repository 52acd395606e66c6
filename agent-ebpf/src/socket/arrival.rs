//! Arrivals: which bytes became readable when, and what the reader was doing.

use agent_common::{BytesArrived, ProbeCounter, RecordHead, RecordKind, StreamContent};
use aya_ebpf::cty::c_void;

use crate::{current::now, maps::SOCKETS, ring::emit, snapshot, tcp};

/// Bytes became readable on `sk`.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn arrived(sk: *const c_void) {
    let Some(socket) = SOCKETS.get_ptr_mut(sk as u64) else {
        return;
    };
    // SAFETY: a map value, and the caller's socket.
    unsafe {
        let socket = &mut *socket;
        if socket.content == StreamContent::Other as u32 {
            return;
        }
        let Some(tcp) = tcp::receive(sk) else {
            return;
        };
        if tcp.rcv_nxt == socket.rcv_nxt {
            return;
        }
        socket.rcv_nxt = tcp.rcv_nxt;
        let record = BytesArrived {
            head: RecordHead {
                kind: RecordKind::BytesArrived as u32,
                lost: socket.lost,
                socket_id: socket.id,
            },
            reader: snapshot::of(socket.reader, now()),
            acked: tcp.acked,
            rcv_nxt: tcp.rcv_nxt,
            offered: tcp.offered,
            min_usable: tcp.least(socket),
            copied_seq: tcp.copied,
        };
        if !emit(&record, ProbeCounter::ArrivalLost) {
            socket.lost += 1;
        }
    }
}
