//! From UTC back to the monotonic clock.

use std::collections::VecDeque;

use crate::domain::Moment;

/// Less is the clock's own drift, which is followed; more is a step.
const STEP_NS: i128 = 1_000_000;
/// Steps that are remembered.
const MOST_STEPS: usize = 16;

/// The offsets of UTC, each with the monotonic instant it was first seen at.
///
/// A message's instants are UTC by the offset in force when it arrived. That offset is the one
/// under which its hand-off lies within the offset's own time; where the clock was set in between,
/// this finds the one from before.
#[derive(Debug, Default)]
pub(super) struct Offsets(VecDeque<(u64, i128)>);

impl Offsets {
    /// Takes note of an instant; true when the clock has been set since (or was never seen).
    pub(super) fn track(&mut self, at: Moment) -> bool {
        let offset = i128::from(at.utc_ns) - i128::from(at.monotonic_ns);
        match self.0.back_mut() {
            Some((_, last)) if (offset - *last).abs() < STEP_NS => {
                *last = offset;
                false
            }
            _ => {
                // The first holds for all that was before.
                let since = if self.0.is_empty() {
                    0
                } else {
                    at.monotonic_ns
                };
                self.0.push_back((since, offset));
                if self.0.len() > MOST_STEPS {
                    self.0.pop_front();
                }
                true
            }
        }
    }

    /// How far UTC is ahead for a message handed off at an instant of UTC and told at `now`.
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
            let mut offsets = Offsets::default();
            assert!(offsets.track(at(10, 1010)));
            assert!(!offsets.track(at(20, 1020)));
            assert!(offsets.track(at(30, 1030 + step)));
            let of = |utc_s: i64, now| offsets.of(utc_s * S, now) / i128::from(S);
            assert_eq!(of(1029, at(30, 1030 + step)), 1000, "{step}");
            assert_eq!(
                of(1040 + step, at(41, 1041 + step)),
                1000 + i128::from(step)
            );
        }
    }
}
