//! Overlapping slices on tracks whose slices must nest.

use std::collections::BTreeSet;

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

    #[test]
    fn there_are_at_most_as_many_as_allowed() {
        let mut lanes = Lanes::new(2);
        assert_eq!(lanes.take(0, 10), Some(0));
        assert_eq!(lanes.take(1, 11), Some(1));
        assert_eq!(lanes.take(2, 12), None);
        assert_eq!(lanes.take(10, 13), Some(0));
    }
}
