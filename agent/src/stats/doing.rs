//! What a culprit was seen doing, counted.

use crate::domain::Doing;

/// Kept apart per culprit; with more, the rarest makes room.
const MOST: usize = 32;

/// Told apart per culprit; the rest is other.
const SHOWN: usize = 5;

/// Samples of a thread while others waited for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// All of them.
    pub all: u64,
    /// What it was doing most often, the most often first, and in how many samples; what these lack
    /// of all is other.
    pub doing: Vec<(Doing, u64)>,
}

impl Samples {
    /// Samples of what is not told apart.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.all - self.doing.iter().map(|(_, samples)| samples).sum::<u64>()
    }
}

/// The same, as they are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doings {
    all: u64,
    kept: Vec<(Doing, u64)>,
}

impl Doings {
    pub(crate) fn add(&mut self, doing: &Doing, samples: u64) {
        self.all += samples;
        self.count(doing, samples);
    }

    fn count(&mut self, doing: &Doing, samples: u64) {
        if let Some((_, count)) = self.kept.iter_mut().find(|(known, _)| known == doing) {
            *count += samples;
            return;
        }
        if self.kept.len() >= MOST {
            let rarest = (0..self.kept.len()).min_by_key(|&i| self.kept[i].1);
            self.kept.swap_remove(rarest.unwrap_or(0));
        }
        self.kept.push((doing.clone(), samples));
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.all += other.all;
        for (doing, samples) in &other.kept {
            self.count(doing, *samples);
        }
    }

    pub(crate) fn samples(&self) -> Samples {
        let mut doing = self.kept.clone();
        doing.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        doing.truncate(SHOWN);
        Samples {
            all: self.all,
            doing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Function, Part};

    fn in_function(n: usize) -> Doing {
        Doing {
            state: Part::OnCpu,
            call: None,
            function: Some(Function {
                name: format!("f{n}"),
                place: "a.py:1".to_owned(),
            }),
        }
    }

    #[test]
    fn the_most_frequent_come_first_and_the_rest_is_other() {
        let mut doings = Doings::default();
        for n in 0..10 {
            doings.add(&in_function(n), n as u64 + 1);
        }
        let samples = doings.samples();
        assert_eq!(samples.all, 55);
        let counts: Vec<u64> = samples.doing.iter().map(|(_, n)| *n).collect();
        assert_eq!(counts, [10, 9, 8, 7, 6]);
        assert_eq!(samples.doing[0].0, in_function(9));
        assert_eq!(samples.other(), 15);
    }

    #[test]
    fn memory_is_bounded_and_a_late_hot_one_is_seen() {
        let mut doings = Doings::default();
        for n in 0..10 * MOST {
            doings.add(&in_function(n), 1);
        }
        for _ in 0..5 {
            doings.add(&in_function(usize::MAX), 1);
        }
        assert_eq!(doings.kept.len(), MOST);
        let mut sum = Doings::default();
        sum.absorb(&doings);
        sum.absorb(&doings);
        let samples = sum.samples();
        assert_eq!(samples.doing[0], (in_function(usize::MAX), 10));
        assert_eq!(samples.all, 2 * (10 * MOST as u64 + 5));
        assert!(sum.kept.len() <= MOST);
    }
}
