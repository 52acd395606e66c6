//! Arrivals: which bytes became readable when, and what the reader was doing.

use agent_common::{BytesArrived, ProbeCounter, RecordHead, RecordKind};
use aya_ebpf::cty::c_void;

use super::tcp_sock::receive_side;
use crate::{maps::SOCKETS, ring_buffer::emit, task::now, thread::snapshot};

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
        if socket.is_other() {
            return;
        }
        let Some(tcp) = receive_side(sk) else {
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
            reader: snapshot(socket.reader, now()),
            acked: tcp.acked,
            rcv_nxt: tcp.rcv_nxt,
            offered: tcp.offered,
            min_usable: socket.min_usable_window(tcp.window, tcp.mss),
            copied_seq: tcp.copied_seq,
        };
        if !emit(&record, ProbeCounter::ArrivalLost) {
            socket.lost += 1;
        }
    }
}
