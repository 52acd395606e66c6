//! The usual traffic of one session: how far apart its messages arrive, and how long it is silent.

use std::collections::VecDeque;

use super::{low_quantile, median};

/// Seconds whose traffic says what is usual.
pub(super) const MAX_SECONDS: usize = 8;

/// A silence is long when it exceeds this many times the usual longest one, and
/// [`MIN_LONG_SILENCE_NS`].
const LONG_SILENCE_FACTOR: i64 = 2;

/// No shorter silence is long: TCP's timeout for a retransmission, after which it starts slowly, is
/// 200 ms at the least.
const MIN_LONG_SILENCE_NS: i64 = 100_000_000;

/// A second of the venue that is in progress.
#[derive(Clone, Copy, Debug)]
struct SecondInProgress {
    /// When its first message arrived, UTC ns.
    from_ns: i64,
    /// Messages after that one.
    messages: i64,
    /// The longest time between two arrivals, ns.
    longest_silence_ns: i64,
}

/// The traffic of a second that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct SecondTraffic {
    /// Time per message, ns.
    spacing_ns: i64,
    /// The longest time between two arrivals, ns.
    longest_silence_ns: i64,
}

/// What is usual on the session.
#[derive(Clone, Copy, Debug)]
struct UsualTraffic {
    /// Arrivals closer together than this may have been queued behind each other, ns.
    close_ns: i64,
    /// Longer silences may be stalls, ns.
    long_silence_ns: i64,
}

/// The traffic of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// The second in progress, if its beginning was observed.
    second: Option<SecondInProgress>,
    pub(super) seconds: VecDeque<SecondTraffic>,
    usual: Option<UsualTraffic>,
}

impl Traffic {
    /// Whether the usual traffic is established.
    pub(super) const fn is_known(&self) -> bool {
        self.usual.is_some()
    }

    /// Whether a silence of `gap_ns` may be a stall.
    pub(super) fn is_long_silence(&self, gap_ns: i64) -> bool {
        self.usual
            .is_some_and(|usual| gap_ns > usual.long_silence_ns)
    }

    /// Whether a gap of `gap_ns` ends a run of close arrivals.
    pub(super) fn ends_run(&self, gap_ns: i64) -> bool {
        self.usual.is_none_or(|usual| gap_ns >= usual.close_ns)
    }

    /// A message arrived `gap_ns` after the one before.
    pub(super) fn message_after(&mut self, gap_ns: i64) {
        if let Some(second) = &mut self.second {
            second.messages += 1;
            second.longest_silence_ns = second.longest_silence_ns.max(gap_ns);
        }
    }

    /// The second in progress is not typical.
    pub(super) const fn discard_second(&mut self) {
        self.second = None;
    }

    /// A second of the venue begins with the arrival of its first message.
    pub(super) const fn begin_second(&mut self, now_ns: i64) {
        self.second = Some(SecondInProgress {
            from_ns: now_ns,
            messages: 0,
            longest_silence_ns: 0,
        });
    }

    /// The second in progress, if any, is over with the arrival of the first message of the next.
    pub(super) fn end_second(&mut self, now_ns: i64) {
        let Some(second) = self.second.take() else {
            return;
        };
        if self.seconds.len() >= MAX_SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(SecondTraffic {
            spacing_ns: (now_ns - second.from_ns) / second.messages.max(1),
            longest_silence_ns: second.longest_silence_ns,
        });
        let spacing = median(self.seconds.iter().map(|s| s.spacing_ns));
        // Of seconds in which nothing stalled, even when some did.
        let silence = low_quantile(self.seconds.iter().map(|s| s.longest_silence_ns), 4);
        self.usual = Some(UsualTraffic {
            close_ns: spacing / 2,
            long_silence_ns: (silence * LONG_SILENCE_FACTOR).max(MIN_LONG_SILENCE_NS),
        });
    }
}
