//! 64-bit positions in a stream whose sequence numbers wrap at 2^32.

/// Turns TCP sequence numbers into positions that do not wrap. Position 0 lies 2^32 before the
/// first sequence number seen, so that earlier bytes have one too.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    near: u64,
}

impl Stream {
    /// A stream in which `seq` is about where things happen.
    #[must_use]
    pub fn at(seq: u32) -> Self {
        Self {
            near: (1 << 32) + u64::from(seq),
        }
    }

    /// The position of `seq`, which lies within 2^31 of the last one asked for.
    pub fn position(&mut self, seq: u32) -> u64 {
        let away = seq.wrapping_sub(self.near as u32) as i32;
        self.near = self.near.saturating_add_signed(i64::from(away));
        self.near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_rise_over_the_wrap_and_step_back() {
        let mut stream = Stream::at(u32::MAX - 10);
        let first = stream.position(u32::MAX - 10);
        assert_eq!(stream.position(5), first + 16);
        assert_eq!(stream.position(u32::MAX), first + 10);
        assert_eq!(stream.position(4_000), first + 11 + 4_000);
    }
}
