//! Converts UTC back to the monotonic clock.

use std::collections::VecDeque;

use crate::domain::Moment;

/// The smallest change of the offset that counts as a step. A smaller one is drift, which is
/// followed.
const MIN_STEP_NS: i128 = 1_000_000;
/// The largest number of steps that are retained.
const MAX_STEPS: usize = 16;

/// The offsets of UTC, each with the monotonic instant at which it was first observed.
///
/// A message's instants are UTC by the offset in force when it arrived. That offset is the one
/// under which its hand-off lies within the offset's own time; where the clock was set in between,
/// this finds the one from before.
#[derive(Debug, Default)]
pub(super) struct UtcOffsets(VecDeque<(u64, i128)>);

impl UtcOffsets {
    /// Observes an instant; true when UTC was set since the last one, and for the first one.
    pub(super) fn observe(&mut self, at: Moment) -> bool {
        let offset = i128::from(at.utc_ns) - i128::from(at.monotonic_ns);
        match self.0.back_mut() {
            Some((_, last)) if (offset - *last).abs() < MIN_STEP_NS => {
                *last = offset;
                false
            }
            _ => {
                // The first offset holds for all instants before it as well.
                let since = if self.0.is_empty() {
                    0
                } else {
                    at.monotonic_ns
                };
                self.0.push_back((since, offset));
                if self.0.len() > MAX_STEPS {
                    self.0.pop_front();
                }
                true
            }
        }
    }

    /// The offset of UTC, nanoseconds, for a message that was handed off at an instant of UTC and
    /// published at `now`.
    pub(super) fn of(&self, handed_off_utc_ns: i64, now: Moment) -> i128 {
        let fits = |&&(since, offset): &&(u64, i128)| {
            let at = i128::from(handed_off_utc_ns) - offset;
            (i128::from(since)..=i128::from(now.monotonic_ns)).contains(&at)
        };
        let found = self.0.iter().rev().find(fits).or(self.0.back());
        found.map_or(0, |&(_, offset)| offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn at(monotonic_s: u64, utc_s: i64) -> Moment {
        Moment {
            monotonic_ns: monotonic_s * S.unsigned_abs(),
            utc_ns: utc_s * S,
        }
    }

    #[test]
    fn a_step_leaves_what_came_before_where_it_was() {
        for step in [2, -2] {
            let mut offsets = UtcOffsets::default();
            assert!(offsets.observe(at(10, 1010)));
            assert!(!offsets.observe(at(20, 1020)));
            assert!(offsets.observe(at(30, 1030 + step)));
            let of = |utc_s: i64, now| offsets.of(utc_s * S, now) / i128::from(S);
            assert_eq!(of(1029, at(30, 1030 + step)), 1000, "{step}");
            assert_eq!(
                of(1040 + step, at(41, 1041 + step)),
                1000 + i128::from(step)
            );
        }
    }
}
