//! What is read from a TCP socket.

use agent_common::ABSENT;
use aya_ebpf::{bindings::tcp_sock, cty::c_void, helpers::generated::bpf_skc_to_tcp_sock};

use crate::{
    bits::field,
    globals::{TCP_COPIED_SEQ, TCP_RCV_MSS, TCP_RCV_NXT, TCP_RCV_WND, TCP_RCV_WUP},
};

/// The receive side of a TCP socket (include/linux/tcp.h `struct tcp_sock`).
#[derive(Clone, Copy)]
pub(crate) struct Receive {
    /// One past the last byte in the queue.
    pub(crate) rcv_nxt: u32,
    /// One past the last byte handed to the application.
    pub(crate) copied: u32,
    /// Bytes of window still offered.
    pub(crate) offered: u32,
    /// The sender's segment size as estimated by the receiver; below it the kernel itself would
    /// announce a closed window (net/ipv4/tcp_output.c `__tcp_select_window`).
    pub(crate) mss: u32,
}

/// The receive side; `None` when it is not a TCP socket.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
pub(crate) unsafe fn receive(sk: *const c_void) -> Option<Receive> {
    // SAFETY: the helper checks the protocol; offsets are the running kernel's.
    unsafe {
        let tcp: *const tcp_sock = bpf_skc_to_tcp_sock(sk.cast_mut());
        if tcp.is_null() {
            return None;
        }
        let tcp = tcp.cast::<u8>();
        let rcv_nxt: u32 = field(tcp, TCP_RCV_NXT.load());
        let edge = field::<u32>(tcp, TCP_RCV_WUP.load())
            .wrapping_add(field::<u32>(tcp, TCP_RCV_WND.load()));
        let left = edge.wrapping_sub(rcv_nxt) as i32;
        let mss = if TCP_RCV_MSS.load() == ABSENT {
            1
        } else {
            u32::from(field::<u16>(tcp, TCP_RCV_MSS.load()))
        };
        Some(Receive {
            rcv_nxt,
            copied: field(tcp, TCP_COPIED_SEQ.load()),
            offered: if left > 0 { left as u32 } else { 0 },
            mss,
        })
    }
}
