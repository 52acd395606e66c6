//! Overlapping slices on tracks whose slices must nest.

use std::collections::{BTreeSet, VecDeque};

/// Slices of a session whose ends are remembered to tell how many overlap.
const MOST_ENDS: usize = 1 << 17;
/// Slices of a lane that a later one may still contain.
const MOST_TOPS: usize = 64;

/// Chooses slices evenly where more overlap than there are lanes: a hundred in a row and then none
/// for as long as they last would show one moment of many.
#[derive(Debug)]
pub(super) struct Spread {
    /// Of the slices told last, by their ends.
    ends: VecDeque<u64>,
    since_drawn: usize,
    lanes: usize,
}

impl Spread {
    /// For so many lanes.
    pub(super) const fn new(lanes: usize) -> Self {
        Self {
            ends: VecDeque::new(),
            since_drawn: usize::MAX,
            lanes,
        }
    }

    /// Whether a slice is to be drawn, if there is a lane for it. Slices come by their ends.
    pub(super) fn is_due(&mut self, from: u64, to: u64) -> bool {
        while self.ends.front().is_some_and(|&end| end <= from) {
            self.ends.pop_front();
        }
        // So many of the earlier ones were not over when this one began.
        let apart = self.ends.len().div_ceil(self.lanes.max(1));
        self.ends.push_back(to);
        if self.ends.len() > MOST_ENDS {
            self.ends.pop_front();
        }
        self.since_drawn = self.since_drawn.saturating_add(1);
        self.since_drawn >= apart
    }

    /// It was drawn.
    pub(super) const fn drawn(&mut self) {
        self.since_drawn = 0;
    }
}

/// Gives each slice a lane on which it contains those it overlaps.
///
/// Slices come by their ends: a wait may have others within, which were over before it.
#[derive(Debug, Default)]
pub(super) struct Nests(Vec<Nest>);

#[derive(Debug, Default)]
struct Nest {
    /// From and to of those that are in no other.
    tops: VecDeque<(u64, u64)>,
    /// Before that there may be others.
    forgotten: u64,
}

impl Nest {
    fn take(&mut self, from: u64, to: u64) -> bool {
        if from < self.forgotten {
            return false;
        }
        // Of two that begin at one instant the first told would be the outer one.
        let within = |&&(f, t): &&(u64, u64)| from < f && t <= to;
        let inner = self.tops.iter().rev().take_while(within).count();
        let left = self.tops.len() - inner;
        if left > 0 && self.tops[left - 1].1 > from {
            return false;
        }
        self.tops.truncate(left);
        self.tops.push_back((from, to));
        if self.tops.len() > MOST_TOPS
            && let Some((_, to)) = self.tops.pop_front()
        {
            self.forgotten = to;
        }
        true
    }
}

impl Nests {
    /// A lane for a slice, of at most `limit`; `None` when it fits on none.
    pub(super) fn take(&mut self, from: u64, to: u64, limit: usize) -> Option<usize> {
        if let Some(fits) = self.0.iter_mut().position(|nest| nest.take(from, to)) {
            return Some(fits);
        }
        if self.0.len() >= limit {
            return None;
        }
        let mut nest = Nest::default();
        nest.take(from, to);
        self.0.push(nest);
        Some(self.0.len() - 1)
    }
}

/// Gives each slice a lane on which none of the earlier ones overlaps it.
///
/// Slices come by their ends; the lane that was free for the shortest time is then the best, and no
/// more lanes are used than slices overlap at any instant.
#[derive(Debug)]
pub(super) struct Lanes {
    /// When each lane became free.
    free: BTreeSet<(u64, usize)>,
    limit: usize,
}

impl Lanes {
    /// At most `limit` lanes.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            free: BTreeSet::new(),
            limit,
        }
    }

    /// A lane for a slice; `None` when all of them are taken at that time.
    pub(super) fn take(&mut self, from: u64, to: u64) -> Option<usize> {
        let fits = self.free.range(..=(from, usize::MAX)).next_back().copied();
        let lane = match fits {
            Some(entry) => {
                self.free.remove(&entry);
                entry.1
            }
            None if self.free.len() < self.limit => self.free.len(),
            None => return None,
        };
        self.free.insert((to, lane));
        Some(lane)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_of_a_lane_do_not_overlap_and_no_lane_is_wasted(
            mut slices in prop::collection::vec((0_u64..50, 0_u64..20), 1..60),
        ) {
            slices.sort_unstable_by_key(|&(from, length)| from + length);
            let mut lanes = Lanes::new(usize::MAX);
            let mut placed: Vec<(usize, u64, u64)> = Vec::new();
            for &(from, length) in &slices {
                let to = from + length;
                let lane = lanes.take(from, to).expect("no limit");
                let overlaps = |&(l, f, t): &(usize, u64, u64)| l == lane && f < to && from < t;
                prop_assert!(!placed.iter().any(overlaps), "{placed:?} {lane} {from} {to}");
                placed.push((lane, from, to));
            }
            let used = placed.iter().map(|p| p.0).max().map_or(0, |lane| lane + 1);
            // A slice without length takes a place too while another spans it.
            let most = (0..80)
                .map(|at| placed.iter().filter(|&&(_, f, t)| f <= at && at <= t).count())
                .max();
            prop_assert!(Some(used) <= most, "{used} lanes, {most:?} at once");
        }
    }

    proptest! {
        #[test]
        fn slices_of_a_nest_are_apart_or_one_within_the_other(
            mut slices in prop::collection::vec((0_u64..50, 0_u64..20), 1..60),
        ) {
            slices.sort_unstable_by_key(|&(from, length)| from + length);
            let mut nests = Nests::default();
            let mut placed: Vec<(usize, u64, u64)> = Vec::new();
            for &(from, length) in &slices {
                let to = from + length;
                let lane = nests.take(from, to, usize::MAX).expect("no limit");
                for &(l, f, t) in placed.iter().filter(|p| p.0 == lane) {
                    let apart = t <= from;
                    let within = from < f && t <= to;
                    prop_assert!(apart || within, "{l}: {f} to {t}, {from} to {to}");
                }
                placed.push((lane, from, to));
            }
        }
    }

    #[test]
    fn a_wait_and_those_within_share_a_lane() {
        let mut nests = Nests::default();
        for (from, to) in [(2, 3), (4, 5), (1, 6), (6, 9), (8, 12), (5, 13)] {
            let lane = nests.take(from, to, 2);
            assert_eq!(
                lane,
                Some(usize::from((from, to) == (8, 12) || (from, to) == (5, 13)))
            );
        }
        assert_eq!(nests.take(12, 14, 2), Some(0));
        assert_eq!(nests.take(13, 15, 2), Some(1));
        assert_eq!(nests.take(13, 16, 2), None);
    }

    #[test]
    fn of_a_backlog_messages_are_chosen_evenly() {
        let drawn = |overlap: u64| -> Vec<u64> {
            let (mut spread, mut lanes) = (Spread::new(10), Lanes::new(10));
            let mut draws = |&n: &u64| {
                let (from, to) = (100 * n.saturating_sub(overlap), 100 * n + 1);
                let draws = spread.is_due(from, to) && lanes.take(from, to).is_some();
                if draws {
                    spread.drawn();
                }
                draws
            };
            (0..1000).filter(|n| draws(n)).collect()
        };
        let even = drawn(100);
        // How many there will be is not known before they are there.
        let apart = even.windows(2).filter(|w| w[0] >= 200).map(|w| w[1] - w[0]);
        assert!(even.len() > 70, "{even:?}");
        assert!(apart.clone().all(|n| (10..=12).contains(&n)), "{even:?}");
        assert_eq!(drawn(9).len(), 1000, "no more than there are lanes");
    }

    #[test]
    fn there_are_at_most_as_many_as_allowed() {
        let mut lanes = Lanes::new(2);
        assert_eq!(lanes.take(0, 10), Some(0));
        assert_eq!(lanes.take(1, 11), Some(1));
        assert_eq!(lanes.take(2, 12), None);
        assert_eq!(lanes.take(10, 13), Some(0));
    }
}
