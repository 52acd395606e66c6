//! Out of step: where the next message may begin.

use super::{
    super::framing::{SOH, may_start, next_start},
    Tap,
    state::TapState,
};

/// Offsets at which a message may begin though no SOH stands before it (see
/// [`agent_common::framing`]).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ResumePoints {
    /// The first byte of the latest receive call.
    pub(super) receive_call: Option<u64>,
    /// The end of the latest message whose trailer is wrong, as its BodyLength announces it.
    pub(super) claimed_end: Option<u64>,
}

impl ResumePoints {
    /// Those past `start`, up to `end`, counted from `start`.
    fn within(self, start: u64, end: u64) -> impl Iterator<Item = usize> {
        [self.receive_call, self.claimed_end]
            .into_iter()
            .flatten()
            .filter(move |&at| start < at && at <= end)
            .map(move |at| (at - start) as usize)
    }
}

impl Tap {
    /// Skips to after the next SOH, or to where a message may begin without one.
    pub(super) fn search(&mut self, at: u64, rest: &[u8]) -> usize {
        let end = at + rest.len() as u64;
        let points = self.resume_points.within(at, end);
        let after_soh = memchr::memchr(SOH, rest).map(|soh| soh + 1);
        let next = points.chain(after_soh).min();
        if next.is_some() {
            self.state = TapState::Start { expected: false };
        }
        let read = next.unwrap_or(rest.len());
        self.counts.skipped_bytes += read as u64;
        read
    }

    /// Looks for a message's start in what is retained, up to the offset `end`, which is neither
    /// that of a message nor a trailer; at its first byte only if that is a `boundary`.
    ///
    /// What is retained was right up to its last byte, and neither fields 8 and 9 nor a trailer have
    /// room for a SOH and a whole start: what is found is the beginning of one at most.
    pub(super) fn rescan(&mut self, end: u64, boundary: bool) {
        let bytes = self.retained.bytes();
        let start = end - bytes.len() as u64;
        let at = if boundary && may_start(bytes) {
            Some(0)
        } else {
            let points = self.resume_points.within(start, end);
            points
                .filter(|&at| may_start(&bytes[at..]))
                .chain(next_start(bytes))
                .min()
        };
        self.state = match at {
            Some(_) => TapState::Start { expected: false },
            None => TapState::Lost,
        };
        let skipped = at.unwrap_or(self.retained.len);
        self.counts.skipped_bytes += skipped as u64;
        self.retained.drop_first(skipped);
    }
}
