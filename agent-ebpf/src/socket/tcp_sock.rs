//! What is read from a TCP socket (include/linux/tcp.h `struct tcp_sock`).

use agent_common::{ABSENT, Acknowledged, window};
use aya_ebpf::{bindings::tcp_sock, cty::c_void, helpers::generated::bpf_skc_to_tcp_sock};

use crate::{
    globals::{
        SOCK_STATE, TCP_ADVMSS, TCP_BYTES_RECEIVED, TCP_COPIED_SEQ, TCP_RCV_NXT, TCP_RCV_WND,
        TCP_RCV_WUP, TCP_SEGS_OUT, TCP_WINDOW_CLAMP, TCP_WSTAMP,
    },
    memory::{field, peek},
};

/// The receive side of a TCP socket.
#[derive(Clone, Copy)]
pub(crate) struct ReceiveSide {
    /// One past the last byte in the queue.
    pub(crate) rcv_nxt: u32,
    /// One past the last byte the application has received.
    pub(crate) copied_seq: u32,
    /// Bytes of window still offered.
    pub(crate) offered: u32,
    /// The window as last announced, bytes.
    pub(crate) window: u32,
    /// The most it may grow to, bytes.
    pub(super) clamp: u32,
    /// How many bytes of the stream came before `copied_seq`; `None` where the kernel does not
    /// count them.
    pub(super) position: Option<u64>,
    /// The largest segment the sender may send.
    pub(crate) mss: u32,
    /// What is acknowledged.
    pub(crate) acked: Acknowledged,
}

/// The receive side; `None` when it is not a TCP socket.
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
pub(crate) unsafe fn receive_side(sk: *const c_void) -> Option<ReceiveSide> {
    // SAFETY: the helper checks the protocol; offsets are the running kernel's.
    unsafe {
        let tcp: *const tcp_sock = bpf_skc_to_tcp_sock(sk.cast_mut());
        if tcp.is_null() {
            return None;
        }
        let tcp = tcp.cast::<u8>();
        let rcv_nxt: u32 = field(tcp, TCP_RCV_NXT.load());
        let window: u32 = field(tcp, TCP_RCV_WND.load());
        let acked = acknowledged(tcp);
        let copied_seq: u32 = field(tcp, TCP_COPIED_SEQ.load());
        let position = if TCP_BYTES_RECEIVED.load() == ABSENT {
            None
        } else {
            let received: u64 = field(tcp, TCP_BYTES_RECEIVED.load());
            Some(window::position(received, rcv_nxt, copied_seq))
        };
        Some(ReceiveSide {
            rcv_nxt,
            copied_seq,
            position,
            offered: window::offered(acked.end_seq, window, rcv_nxt),
            window,
            clamp: field(tcp, TCP_WINDOW_CLAMP.load()),
            mss: u32::from(field::<u16>(tcp, TCP_ADVMSS.load())),
            acked,
        })
    }
}

/// What is acknowledged (net/ipv4/tcp_output.c `__tcp_transmit_skb`): every segment sent, with data
/// or without, stamps `tcp_wstamp_ns` from CLOCK_MONOTONIC, sets `rcv_wup` to `rcv_nxt`
/// (`tcp_select_window`) and counts in `segs_out`.
///
/// # Safety
/// `tcp` is a `struct tcp_sock` the verifier knows.
#[inline(always)]
unsafe fn acknowledged(tcp: *const u8) -> Acknowledged {
    // SAFETY: the caller's; offsets are the running kernel's.
    unsafe {
        let stamped = TCP_WSTAMP.load() != ABSENT && TCP_SEGS_OUT.load() != ABSENT;
        Acknowledged {
            sent_at_ns: if stamped {
                field(tcp, TCP_WSTAMP.load())
            } else {
                0
            },
            end_seq: field(tcp, TCP_RCV_WUP.load()),
            segments: if stamped {
                field(tcp, TCP_SEGS_OUT.load())
            } else {
                0
            },
        }
    }
}

/// Whether the peer has sent its FIN (include/net/tcp_states.h).
///
/// # Safety
/// `sk` is a socket the verifier knows.
#[inline(always)]
pub(crate) unsafe fn fin_received(sk: *const c_void) -> bool {
    // SAFETY: the caller's.
    has_fin(unsafe { field(sk.cast(), SOCK_STATE.load()) })
}

/// The receive side of a socket at a bare address.
pub(super) struct SampledSide {
    /// One past the last byte in the queue, a FIN not counted.
    pub(super) rcv_nxt: u32,
    /// One past the last byte the application has received, a FIN not counted.
    pub(super) copied_seq: u32,
    /// One past the last byte acknowledged.
    pub(super) rcv_wup: u32,
    /// The window as last announced, bytes.
    pub(super) window: u32,
    /// The largest segment the sender may send.
    pub(super) mss: u32,
}

/// The receive side of the tracked socket at this address. Its memory may have been freed a moment
/// ago, but not given to another kind of object (`SLAB_TYPESAFE_BY_RCU`, net/ipv4/tcp_ipv4.c
/// `tcp_prot`).
#[inline(always)]
pub(super) fn sampled_side(sk: u64) -> Option<SampledSide> {
    // SAFETY: peek checks addresses; a `struct tcp_sock` begins with its `struct sock`.
    unsafe {
        let copied_seq: u32 = peek(sk, TCP_COPIED_SEQ.load())?;
        let mut rcv_nxt: u32 = peek(sk, TCP_RCV_NXT.load())?;
        let state: u8 = peek(sk, SOCK_STATE.load())?;
        if rcv_nxt != copied_seq && has_fin(state) {
            // The FIN takes a sequence number of its own.
            rcv_nxt = rcv_nxt.wrapping_sub(1);
        }
        Some(SampledSide {
            rcv_nxt,
            copied_seq,
            rcv_wup: peek(sk, TCP_RCV_WUP.load())?,
            window: peek(sk, TCP_RCV_WND.load())?,
            mss: u32::from(peek::<u16>(sk, TCP_ADVMSS.load())?),
        })
    }
}

/// Whether a socket in this state has received its peer's FIN (include/net/tcp_states.h).
#[inline(always)]
const fn has_fin(state: u8) -> bool {
    const ESTABLISHED: u8 = 1;
    const FIN_WAIT1: u8 = 4;
    const FIN_WAIT2: u8 = 5;
    state != ESTABLISHED && state != FIN_WAIT1 && state != FIN_WAIT2
}
