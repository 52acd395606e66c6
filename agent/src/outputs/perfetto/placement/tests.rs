//! The placement of any slices on lanes.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn slices_of_a_lane_do_not_overlap_and_no_lane_is_wasted(
        mut slices in prop::collection::vec((0_u64..50, 0_u64..20), 1..60),
    ) {
        slices.sort_unstable_by_key(|&(from, length)| from + length);
        let mut lanes = DisjointLanes::new(usize::MAX);
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
        let mut nests = NestingLanes::default();
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
    let mut nests = NestingLanes::default();
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
fn messages_of_a_backlog_are_chosen_evenly() {
    let drawn = |overlap: u64| -> Vec<u64> {
        let (mut sampler, mut lanes) = (EvenSampler::new(10), DisjointLanes::new(10));
        let mut is_drawn = |&n: &u64| {
            let (from, to) = (100 * n.saturating_sub(overlap), 100 * n + 1);
            let drawn = sampler.is_due(from, to) && lanes.take(from, to).is_some();
            if drawn {
                sampler.record_drawn();
            }
            drawn
        };
        (0..1000).filter(|n| is_drawn(n)).collect()
    };
    let even = drawn(100);
    // The first slices come before it is known how many overlap.
    let apart = even.windows(2).filter(|w| w[0] >= 200).map(|w| w[1] - w[0]);
    assert!(even.len() > 70, "{even:?}");
    assert!(apart.clone().all(|n| (10..=12).contains(&n)), "{even:?}");
    assert_eq!(drawn(9).len(), 1000, "no more than there are lanes");
}

#[test]
fn there_are_at_most_as_many_as_allowed() {
    let mut lanes = DisjointLanes::new(2);
    assert_eq!(lanes.take(0, 10), Some(0));
    assert_eq!(lanes.take(1, 11), Some(1));
    assert_eq!(lanes.take(2, 12), None);
    assert_eq!(lanes.take(10, 13), Some(0));
}
