//! Chunks that do not follow on one another: gaps, repetitions, another stream.

use super::{super::framing::START, Tap, resync::ResumePoints, state::TapState};

/// Offsets that go back by this many bytes, with nothing new at their end, are another stream.
const RESTART_DISTANCE_BYTES: u64 = 1 << 20;

impl Tap {
    /// Settles what lies between the offset expected and this one; gives the bytes left to read,
    /// all of which have an offset.
    pub(super) fn align<'a>(&mut self, offset: u64, bytes: &'a [u8]) -> &'a [u8] {
        let nameable = usize::try_from(u64::MAX - offset).unwrap_or(usize::MAX);
        let fresh = &bytes[..bytes.len().min(nameable)];
        self.counts.overlap_bytes += (bytes.len() - fresh.len()) as u64;
        if fresh.is_empty() {
            return fresh;
        }
        let at = *self.at.get_or_insert(offset);
        if offset >= at {
            if offset > at {
                self.gap(at, offset);
            }
            return fresh;
        }
        let behind = at - offset;
        match usize::try_from(behind) {
            Ok(overlap) if overlap < fresh.len() => {
                self.counts.overlap_bytes += behind;
                &fresh[overlap..]
            }
            _ if behind < RESTART_DISTANCE_BYTES => {
                self.counts.overlap_bytes += fresh.len() as u64;
                &[]
            }
            _ => {
                self.counts.restarts += 1;
                self.counts.rewound_bytes = self.counts.rewound_bytes.wrapping_add(behind);
                self.abandon();
                self.resume_points = ResumePoints::default();
                self.at = Some(offset);
                fresh
            }
        }
    }

    /// Goes on at `offset`; the bytes since `at` are missing.
    pub(super) fn gap(&mut self, at: u64, offset: u64) {
        self.at = Some(offset);
        let omitted = match self.state {
            TapState::Body(frame) | TapState::Trailer { frame, .. } => {
                let omitted = offset.min(frame.end) - at;
                if offset <= frame.end {
                    self.counts.message_bytes += self.retained.len as u64;
                    self.retained.len = 0;
                    if offset == frame.end {
                        self.state = TapState::Start { expected: true };
                    } else if offset >= frame.trailer {
                        self.state = TapState::Trailer {
                            frame,
                            boundary: true,
                        };
                    }
                } else {
                    self.abandon();
                }
                omitted
            }
            TapState::Lost | TapState::Start { .. } | TapState::Header(..) => {
                self.abandon();
                0
            }
        };
        self.counts.omitted_bytes += omitted;
        let lost = offset - at - omitted;
        self.counts.lost_bytes = self.counts.lost_bytes.wrapping_add(lost);
    }

    /// Abandons the message in progress: the next byte may be anything, a message's start included.
    pub(super) fn abandon(&mut self) {
        let retained = self.retained.len;
        match self.state {
            TapState::Start { expected } => {
                let was_message = retained >= START.len() || (expected && retained > 0);
                self.counts.dropped_messages += u64::from(was_message);
                self.counts.skipped_bytes += retained as u64;
            }
            // The retained bytes were counted when they came.
            TapState::Header(..) => self.counts.dropped_messages += 1,
            // The header has been handed out: nothing is lost but the end.
            TapState::Trailer { .. } => self.counts.message_bytes += retained as u64,
            TapState::Lost | TapState::Body(_) => {}
        }
        self.retained.len = 0;
        self.state = TapState::Start { expected: false };
    }
}
