//! Sums of matrices.

use crate::domain::{Matrix, Part, Stage};

/// Nanoseconds per stage and part, summed over messages.
///
/// They are `i128` because a backlog of minutes at a few hundred messages per second overflows an
/// `i64` within months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    cells: [[i128; Part::ALL.len()]; Stage::ALL.len()],
}

impl Sums {
    /// Nanoseconds in one cell. Only in-flight network can be negative (clock skew).
    #[must_use]
    pub(crate) const fn get(&self, stage: Stage, part: Part) -> i128 {
        self.cells[stage as usize][part as usize]
    }

    /// The sum of a stage's parts, in nanoseconds.
    #[must_use]
    pub(crate) fn stage(&self, stage: Stage) -> i128 {
        self.cells[stage as usize].iter().sum()
    }

    /// The sum of a part over the stages, in nanoseconds.
    #[must_use]
    pub(crate) fn part(&self, part: Part) -> i128 {
        Stage::ALL.iter().map(|&s| self.get(s, part)).sum()
    }

    /// The sum of all cells, in nanoseconds.
    #[must_use]
    pub(crate) fn total(&self) -> i128 {
        Stage::ALL.iter().map(|&s| self.stage(s)).sum()
    }

    /// Every cell other than zero.
    pub(crate) fn nonzero(&self) -> impl Iterator<Item = (Stage, Part, i128)> + '_ {
        Stage::ALL
            .into_iter()
            .flat_map(|s| Part::ALL.into_iter().map(move |p| (s, p)))
            .map(|(s, p)| (s, p, self.get(s, p)))
            .filter(|&(_, _, ns)| ns != 0)
    }

    pub(crate) fn add(&mut self, matrix: &Matrix) {
        for (stage, part, ns) in matrix.nonzero() {
            self.cells[stage as usize][part as usize] += i128::from(ns);
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (stage, part, ns) in other.nonzero() {
            self.cells[stage as usize][part as usize] += ns;
        }
    }

    /// Adds the time that clock skew took away, so that no cell is negative.
    pub(crate) fn with_skew_put_back(mut self, skew_ns: i128) -> Self {
        self.cells[Stage::InFlight as usize][Part::Network as usize] += skew_ns;
        self
    }
}
