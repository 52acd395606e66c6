//! Arithmetic on the receive side of a TCP socket. Positions are sequence numbers, which wrap.

use crate::TrackedSocket;

/// Receive window left for the sender, bytes: up to `rcv_wup + rcv_wnd`, from `rcv_nxt` on
/// (net/ipv4/tcp.h `tcp_receive_window`).
#[inline(always)]
#[must_use]
pub const fn offered(rcv_wup: u32, rcv_wnd: u32, rcv_nxt: u32) -> u32 {
    let left = rcv_wup.wrapping_add(rcv_wnd).wrapping_sub(rcv_nxt) as i32;
    if left > 0 { left as u32 } else { 0 }
}

/// How many bytes of the stream came before `copied_seq`, given how many have arrived
/// (`tcp_sock.bytes_received`).
#[inline(always)]
#[must_use]
pub const fn position(bytes_received: u64, rcv_nxt: u32, copied_seq: u32) -> u64 {
    bytes_received.wrapping_sub(rcv_nxt.wrapping_sub(copied_seq) as u64)
}

impl TrackedSocket {
    /// The least window that the sender uses, bytes: a segment, or half the largest window it was
    /// ever offered (RFC 1122 section 4.2.3.4, the sender's side of avoiding silly windows;
    /// net/ipv4 `tcp_bound_to_half_wnd`). `window` is what was announced last, `mss` the largest
    /// segment the peer may send.
    #[inline(always)]
    #[must_use]
    pub const fn min_usable_window(&mut self, window: u32, mss: u32) -> u32 {
        /// include/net/tcp.h
        const TCP_MSS_DEFAULT: u32 = 536;
        if window > self.max_window {
            self.max_window = window;
        }
        let half = if self.max_window > TCP_MSS_DEFAULT {
            self.max_window / 2
        } else {
            self.max_window
        };
        if half < mss { half } else { mss }
    }
}

/// Whether all bytes up to `copied_seq` have been followed already by a walk that stands at
/// `next_seq`. `fin` is whether the peer has sent its FIN, asked only where that matters: it takes a
/// sequence number of its own (net/ipv4/tcp.c `tcp_recvmsg_locked`, found_fin_ok) and is no byte of
/// the stream.
#[inline(always)]
#[must_use]
pub fn is_followed(copied_seq: u32, next_seq: u32, fin: impl FnOnce() -> bool) -> bool {
    copied_seq == next_seq || (copied_seq == next_seq.wrapping_add(1) && fin())
}

/// One past the last byte of a receive call of `len` bytes that left the socket at `copied_seq`: one
/// less where the FIN was counted with them.
#[inline(always)]
#[must_use]
pub fn end_of_received(
    copied_seq: u32,
    len: u32,
    next_seq: u32,
    fin: impl FnOnce() -> bool,
) -> u32 {
    let start = copied_seq.wrapping_sub(len);
    if start == next_seq.wrapping_add(1) && fin() {
        copied_seq.wrapping_sub(1)
    } else {
        copied_seq
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::socket::tests::socket;

    #[test]
    fn a_sender_needs_a_segment_or_half_the_largest_window() {
        let mut socket = socket();
        assert_eq!(socket.min_usable_window(65_535, 1_460), 1_460);
        assert_eq!(socket.max_window, 65_535);
        assert_eq!(socket.min_usable_window(100, 65_483), 32_767);
        socket.max_window = 0;
        assert_eq!(socket.min_usable_window(536, 1_460), 536);
        assert_eq!(socket.min_usable_window(538, 1_460), 269);
    }

    #[test]
    fn a_fin_is_no_byte_of_the_stream() {
        assert_eq!(end_of_received(1_101, 100, 1_000, || true), 1_100);
        assert_eq!(end_of_received(1_101, 100, 1_000, || false), 1_101);
        assert_eq!(end_of_received(1_100, 100, 1_000, || unreachable!()), 1_100);
        assert!(is_followed(1_100, 1_100, || unreachable!()));
        assert!(is_followed(1_101, 1_100, || true));
        assert!(!is_followed(1_101, 1_100, || false));
        assert!(!is_followed(1_200, 1_100, || unreachable!()));
    }

    proptest! {
        /// Wherever in the sequence space the stream is.
        #[test]
        fn a_window_is_what_lies_beyond_the_last_byte(
            wup: u32, window in 0u32..1 << 30, arrived in 0u32..1 << 30,
        ) {
            let left = offered(wup, window, wup.wrapping_add(arrived));
            prop_assert_eq!(left, window.saturating_sub(arrived));
        }

        #[test]
        fn a_position_counts_what_was_received(start: u32, received in 0u64..1 << 40, queued in 0u32..1 << 30) {
            let received = received + u64::from(queued);
            let rcv_nxt = start.wrapping_add(received as u32);
            let copied = rcv_nxt.wrapping_sub(queued);
            prop_assert_eq!(position(received, rcv_nxt, copied), received - u64::from(queued));
        }
    }
}
