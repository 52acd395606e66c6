//! What the holder of a lock was doing in samples of it, counted.

use crate::domain::ThreadActivity;

/// Activities counted apart per culprit; beyond, the rarest makes room.
const MAX_ACTIVITIES: usize = 32;

/// Activities per culprit in the figures; the rest is other.
const MAX_SHOWN: usize = 5;

/// The samples of one holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HolderSamples {
    /// Number of samples.
    pub total: u64,
    /// The most frequent activities with the number of samples each, the most frequent first. The
    /// samples that these lack of `total` are other.
    pub activities: Vec<(ThreadActivity, u64)>,
}

impl HolderSamples {
    /// Number of samples of other activities.
    #[must_use]
    pub(crate) fn other(&self) -> u64 {
        self.total
            - self
                .activities
                .iter()
                .map(|(_, samples)| samples)
                .sum::<u64>()
    }
}

/// The accumulator behind [`HolderSamples`].
#[derive(Clone, Debug, Default)]
pub(crate) struct ActivityCounts {
    total: u64,
    counts: Vec<(ThreadActivity, u64)>,
}

impl ActivityCounts {
    pub(crate) fn add(&mut self, activity: &ThreadActivity, samples: u64) {
        self.total += samples;
        self.count(activity, samples);
    }

    fn count(&mut self, activity: &ThreadActivity, samples: u64) {
        if let Some((_, count)) = self
            .counts
            .iter_mut()
            .find(|(counted, _)| counted == activity)
        {
            *count += samples;
            return;
        }
        if self.counts.len() >= MAX_ACTIVITIES {
            let rarest = (0..self.counts.len()).min_by_key(|&i| self.counts[i].1);
            self.counts.swap_remove(rarest.unwrap_or(0));
        }
        self.counts.push((activity.clone(), samples));
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.total += other.total;
        for (activity, samples) in &other.counts {
            self.count(activity, *samples);
        }
    }

    pub(crate) fn samples(&self) -> HolderSamples {
        let mut activities = self.counts.clone();
        activities.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        activities.truncate(MAX_SHOWN);
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
        let mut counts = ActivityCounts::default();
        for n in 0..10 {
            counts.add(&in_function(n), n as u64 + 1);
        }
        let samples = counts.samples();
        assert_eq!(samples.total, 55);
        let numbers: Vec<u64> = samples.activities.iter().map(|(_, n)| *n).collect();
        assert_eq!(numbers, [10, 9, 8, 7, 6]);
        assert_eq!(samples.activities[0].0, in_function(9));
        assert_eq!(samples.other(), 15);
    }

    #[test]
    fn memory_is_bounded_and_a_late_frequent_one_is_counted() {
        let mut counts = ActivityCounts::default();
        for n in 0..10 * MAX_ACTIVITIES {
            counts.add(&in_function(n), 1);
        }
        for _ in 0..5 {
            counts.add(&in_function(usize::MAX), 1);
        }
        assert_eq!(counts.counts.len(), MAX_ACTIVITIES);
        let mut sum = ActivityCounts::default();
        sum.absorb(&counts);
        sum.absorb(&counts);
        let samples = sum.samples();
        assert_eq!(samples.activities[0], (in_function(usize::MAX), 10));
        assert_eq!(samples.total, 2 * (10 * MAX_ACTIVITIES as u64 + 5));
        assert!(sum.counts.len() <= MAX_ACTIVITIES);
    }
}
