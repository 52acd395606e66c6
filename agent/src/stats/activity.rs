//! What a culprit was seen doing, counted.

use crate::domain::ThreadActivity;

/// Kept apart per culprit; with more, the rarest makes room.
const MOST: usize = 32;

/// Told apart per culprit; the rest is other.
const SHOWN: usize = 5;

/// Samples of a thread while others waited for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderSamples {
    /// All of them.
    pub total: u64,
    /// What it was doing most often, the most often first, and in how many samples; what these lack
    /// of all is other.
    pub activities: Vec<(ThreadActivity, u64)>,
}

impl HolderSamples {
    /// Samples of what is not told apart.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.total
            - self
                .activities
                .iter()
                .map(|(_, samples)| samples)
                .sum::<u64>()
    }
}

/// The same, as they are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActivityCounts {
    total: u64,
    kept: Vec<(ThreadActivity, u64)>,
}

impl ActivityCounts {
    pub(crate) fn add(&mut self, activity: &ThreadActivity, samples: u64) {
        self.total += samples;
        self.count(activity, samples);
    }

    fn count(&mut self, activity: &ThreadActivity, samples: u64) {
        if let Some((_, count)) = self.kept.iter_mut().find(|(known, _)| known == activity) {
            *count += samples;
            return;
        }
        if self.kept.len() >= MOST {
            let rarest = (0..self.kept.len()).min_by_key(|&i| self.kept[i].1);
            self.kept.swap_remove(rarest.unwrap_or(0));
        }
        self.kept.push((activity.clone(), samples));
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.total += other.total;
        for (activity, samples) in &other.kept {
            self.count(activity, *samples);
        }
    }

    pub(crate) fn samples(&self) -> HolderSamples {
        let mut activities = self.kept.clone();
        activities.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        activities.truncate(SHOWN);
        HolderSamples {
            total: self.total,
            activities,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Function, Part};

    fn in_function(n: usize) -> ThreadActivity {
        ThreadActivity {
            state: Part::OnCpu,
            call: None,
            function: Some(Function {
                name: format!("f{n}"),
                location: "a.py:1".to_owned(),
            }),
        }
    }

    #[test]
    fn the_most_frequent_come_first_and_the_rest_is_other() {
        let mut doings = ActivityCounts::default();
        for n in 0..10 {
            doings.add(&in_function(n), n as u64 + 1);
        }
        let samples = doings.samples();
        assert_eq!(samples.total, 55);
        let counts: Vec<u64> = samples.activities.iter().map(|(_, n)| *n).collect();
        assert_eq!(counts, [10, 9, 8, 7, 6]);
        assert_eq!(samples.activities[0].0, in_function(9));
        assert_eq!(samples.other(), 15);
    }

    #[test]
    fn memory_is_bounded_and_a_late_hot_one_is_seen() {
        let mut doings = ActivityCounts::default();
        for n in 0..10 * MOST {
            doings.add(&in_function(n), 1);
        }
        for _ in 0..5 {
            doings.add(&in_function(usize::MAX), 1);
        }
        assert_eq!(doings.kept.len(), MOST);
        let mut sum = ActivityCounts::default();
        sum.absorb(&doings);
        sum.absorb(&doings);
        let samples = sum.samples();
        assert_eq!(samples.activities[0], (in_function(usize::MAX), 10));
        assert_eq!(samples.total, 2 * (10 * MOST as u64 + 5));
        assert!(sum.kept.len() <= MOST);
    }
}
