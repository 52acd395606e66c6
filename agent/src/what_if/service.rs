//! What the reader spent, by part.

use crate::domain::{Aftermath, Matrix, Part, Stage};

/// What waits leave behind: which wait, and the part in which that is.
const LEFT_BEHIND: [(Part, Part); 4] = [
    (Part::LockWait, Part::RunQueue),
    (Part::Throttle, Part::RunQueue),
    (Part::Blocked, Part::RunQueue),
    (Part::LockWait, Part::OnCpu),
];

/// Cells of a [`Service`]: the parts without what other waits left behind there, then each of
/// [`LEFT_BEHIND`].
const CELLS: usize = Part::ALL.len() + LEFT_BEHIND.len();

/// Nanoseconds of the reader's time, by part; none is negative and none is network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service([i64; CELLS]);

impl Service {
    /// What a message's stage says of the reader.
    pub(crate) fn of_stage(matrix: &Matrix, stage: Stage, aftermath: &Aftermath) -> Self {
        let mut cells = [0; CELLS];
        for (cell, part) in cells.iter_mut().zip(Part::ALL) {
            *cell = matrix.get(stage, part).max(0);
        }
        let left_behind = [
            aftermath.lock_wait_ns,
            aftermath.throttle_ns,
            aftermath.blocked_ns,
            aftermath.lock_retry_ns,
        ];
        for (n, ((_, part), ns)) in LEFT_BEHIND.into_iter().zip(left_behind).enumerate() {
            // The counters are exact, these are put together from single waits.
            let most = cells[part as usize];
            let ns = i64::try_from(ns).unwrap_or(i64::MAX).min(most);
            cells[part as usize] = most - ns;
            cells[Part::ALL.len() + n] = ns;
        }
        Self(cells)
    }

    fn left_behind_where(&self, which: impl Fn(Part, Part) -> bool) -> i64 {
        let cells = LEFT_BEHIND.into_iter().zip(&self.0[Part::ALL.len()..]);
        let wanted = cells.filter(|((wait, part), _)| which(*wait, *part));
        wanted.map(|(_, ns)| ns).sum()
    }

    /// Nanoseconds of one part.
    #[must_use]
    pub fn part(&self, part: Part) -> i64 {
        self.0[part as usize] + self.left_behind_where(|_, of| of == part)
    }

    /// Nanoseconds that waits of this part left behind in others.
    #[must_use]
    pub fn left_behind(&self, wait: Part) -> i64 {
        self.left_behind_where(|of, _| of == wait)
    }

    /// The same without what was not seen.
    pub(crate) fn seen(mut self) -> Self {
        self.0[Part::Unknown as usize] = 0;
        self
    }

    /// Nanoseconds of all parts.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// What came on top of `earlier`, which was counted from the same instant.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut rest = *self;
        for (mine, theirs) in rest.0.iter_mut().zip(earlier.0) {
            *mine = (*mine - theirs).max(0);
        }
        rest
    }

    /// The same proportions with `total` as the sum, exactly; all unknown when there are none.
    pub(crate) fn scaled_to(&self, total: i64) -> Self {
        let whole = i128::from(self.total());
        let mut scaled = Self::default();
        if whole > 0 {
            for (to, from) in scaled.0.iter_mut().zip(self.0) {
                *to = (i128::from(from) * i128::from(total) / whole) as i64;
            }
        }
        // What rounding left over goes where it changes least.
        let largest = match scaled.0.iter().max() {
            Some(&most) if most > 0 => scaled.0.iter().position(|&ns| ns == most),
            _ => None,
        };
        let left = total - scaled.total();
        scaled.0[largest.unwrap_or(Part::Unknown as usize)] += left;
        scaled
    }

    #[cfg(test)]
    pub(crate) fn of(parts: &[(Part, i64)]) -> Self {
        let mut service = Self::default();
        for &(part, ns) in parts {
            service.0[part as usize] += ns;
        }
        service
    }
}
