//! 64-bit positions in a stream whose TCP sequence numbers wrap at 2^32.

/// Turns TCP sequence numbers into positions that do not wrap. Position 0 lies 2^32 before the
/// first sequence number, so that bytes before it have a position too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamPositions {
    /// The position that was computed last.
    last: u64,
}

impl StreamPositions {
    /// Positions of a stream that is read around the sequence number `seq`.
    #[must_use]
    pub(crate) fn around(seq: u32) -> Self {
        Self {
            last: (1 << 32) + u64::from(seq),
        }
    }

    /// The position of `seq`, which must lie within 2^31 of the sequence number of the last call.
    pub(crate) fn position(&mut self, seq: u32) -> u64 {
        let away = seq.wrapping_sub(self.last as u32) as i32;
        self.last = self.last.saturating_add_signed(i64::from(away));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_rise_over_the_wrap_and_step_back() {
        let mut stream = StreamPositions::around(u32::MAX - 10);
        let first = stream.position(u32::MAX - 10);
        assert_eq!(stream.position(5), first + 16);
        assert_eq!(stream.position(u32::MAX), first + 10);
        assert_eq!(stream.position(4_000), first + 11 + 4_000);
    }
}
