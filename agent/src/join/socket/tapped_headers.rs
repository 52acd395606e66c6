//! The headers that the tap found in the socket's stream, until their messages are received to the
//! end, and the counts of what else it met.

use std::collections::VecDeque;

use crate::{
    domain::TapCounts,
    events::Slices,
    streams::{
        HeaderBudget, StreamPositions,
        fix::{Header, Tap},
    },
};

/// Headers of messages that are not received to their end: more than one walk of the probes finds.
/// Those of several walks only come together when the end of a receive call is lost.
const MAX_HEADERS: usize = 4096;

/// The tap of one socket and the headers it found.
pub(super) struct TappedHeaders {
    tap: Tap,
    /// Headers of messages that are not received to their end, oldest first.
    headers: VecDeque<Header>,
    /// Headers that found `headers` full, since they were last taken.
    dropped: u64,
    /// Bytes received before the tap was given any.
    untapped_bytes: u64,
    /// The next slices are the first ones of a receive call.
    call_begins: bool,
    /// The counts as they were last reported.
    reported: TapCounts,
}

/// Without the tap: it holds bytes of messages.
impl std::fmt::Debug for TappedHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TappedHeaders")
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

impl TappedHeaders {
    pub(super) fn new() -> Self {
        Self {
            tap: Tap::new(),
            headers: VecDeque::new(),
            dropped: 0,
            untapped_bytes: 0,
            call_begins: true,
            reported: TapCounts::default(),
        }
    }

    /// The slices of a receive call have all been fed.
    pub(super) const fn call_ended(&mut self) {
        self.call_begins = true;
    }

    /// Feeds the tap. `received_until` is the position up to which the application had received
    /// before. Returns whether a header was incomplete.
    pub(super) fn feed(
        &mut self,
        slices: Slices<'_>,
        positions: &mut StreamPositions,
        received_until: u64,
        budget: &mut HeaderBudget,
    ) -> bool {
        let incomplete_before = self.tap.counts().dropped_messages;
        let Self {
            tap,
            headers,
            dropped,
            untapped_bytes,
            call_begins,
            ..
        } = self;
        for (seq, bytes) in slices {
            let position = positions.position(seq);
            if std::mem::take(call_begins) {
                tap.receive_begins(position);
            }
            if tap.expected().is_none() {
                // The tap notices gaps only after its first byte.
                *untapped_bytes += position.saturating_sub(received_until);
            }
            tap.feed(position, bytes, &mut |header| {
                budget.observe(&header);
                if headers.len() < MAX_HEADERS {
                    headers.push_back(header);
                } else {
                    *dropped += 1;
                }
            });
        }
        self.tap.counts().dropped_messages > incomplete_before
    }

    /// The next header whose message ends at `end` or before it.
    pub(super) fn pop_until(&mut self, end: u64) -> Option<Header> {
        self.headers.pop_front_if(|header| header.end <= end)
    }

    /// How many headers were dropped since the last call.
    pub(super) const fn take_dropped(&mut self) -> u64 {
        std::mem::replace(&mut self.dropped, 0)
    }

    /// The counts since the last call; `None` when there are none.
    pub(super) fn take_counts(&mut self) -> Option<TapCounts> {
        let counts = self.tap.counts();
        let now = TapCounts {
            garbled: counts.garbled,
            skipped_bytes: counts.skipped_bytes,
            lost_bytes: counts.lost_bytes + self.untapped_bytes,
            // A header that was cut off is noticed by what comes after it.
            incomplete_headers: counts.incomplete_headers + counts.dropped_messages,
        };
        let delta = TapCounts {
            garbled: now.garbled - self.reported.garbled,
            skipped_bytes: now.skipped_bytes - self.reported.skipped_bytes,
            lost_bytes: now.lost_bytes - self.reported.lost_bytes,
            incomplete_headers: now.incomplete_headers - self.reported.incomplete_headers,
        };
        if delta.is_empty() {
            return None;
        }
        self.reported = now;
        Some(delta)
    }
}
