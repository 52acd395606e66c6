//! The time of a reader, by part.

use crate::domain::{Aftermath, Matrix, Part, Stage};

/// The kinds of aftermath: the wait, and the part that its aftermath counts as.
const AFTERMATHS: [(Part, Part); 4] = [
    (Part::LockWait, Part::RunQueue),
    (Part::Throttle, Part::RunQueue),
    (Part::Blocked, Part::RunQueue),
    (Part::LockWait, Part::OnCpu),
];

/// The parts without any aftermath, then each of [`AFTERMATHS`].
const CELLS: usize = Part::ALL.len() + AFTERMATHS.len();

/// How a reader spent its time, nanoseconds by part. No part is negative, and network is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReaderTime([i64; CELLS]);

impl ReaderTime {
    /// What the reader did during a stage of a message.
    pub(super) fn of_stage(matrix: &Matrix, stage: Stage, aftermath: &Aftermath) -> Self {
        let mut cells = [0; CELLS];
        for (cell, part) in cells.iter_mut().zip(Part::ALL) {
            *cell = matrix.get(stage, part).max(0);
        }
        let aftermath_ns = [
            aftermath.lock_wait_ns,
            aftermath.throttle_ns,
            aftermath.blocked_ns,
            aftermath.lock_retry_ns,
        ];
        for (n, ((_, part), ns)) in AFTERMATHS.into_iter().zip(aftermath_ns).enumerate() {
            // The counters are exact, the aftermath is put together from records: cap it.
            let whole = cells[part as usize];
            let ns = i64::try_from(ns).unwrap_or(i64::MAX).min(whole);
            cells[part as usize] = whole - ns;
            cells[Part::ALL.len() + n] = ns;
        }
        Self(cells)
    }

    fn aftermath_where(&self, is_wanted: impl Fn(Part, Part) -> bool) -> i64 {
        let cells = AFTERMATHS.into_iter().zip(&self.0[Part::ALL.len()..]);
        let wanted = cells.filter(|((wait, part), _)| is_wanted(*wait, *part));
        wanted.map(|(_, ns)| ns).sum()
    }

    /// The time of one part, aftermath included, nanoseconds.
    #[must_use]
    pub(crate) fn part(&self, part: Part) -> i64 {
        self.0[part as usize] + self.aftermath_where(|_, of| of == part)
    }

    /// The aftermath of waits of this part, nanoseconds.
    #[must_use]
    pub(crate) fn aftermath(&self, wait: Part) -> i64 {
        self.aftermath_where(|of, _| of == wait)
    }

    /// The time that was observed: all but unknown.
    pub(super) fn observed(mut self) -> Self {
        self.0[Part::Unknown as usize] = 0;
        self
    }

    /// The time of all parts, nanoseconds.
    #[must_use]
    pub(crate) fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// The time since `earlier`, which was counted from the same instant.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let mut rest = *self;
        for (mine, theirs) in rest.0.iter_mut().zip(earlier.0) {
            *mine = (*mine - theirs).max(0);
        }
        rest
    }

    /// Scales to a sum of exactly `total` in the same proportions; unknown when the time is 0.
    pub(super) fn scaled_to(&self, total: i64) -> Self {
        let whole = i128::from(self.total());
        let mut scaled = Self::default();
        if whole > 0 {
            for (to, from) in scaled.0.iter_mut().zip(self.0) {
                *to = (i128::from(from) * i128::from(total) / whole) as i64;
            }
        }
        // What rounding leaves over goes to the largest cell, where it changes least.
        let largest = match scaled.0.iter().max() {
            Some(&most) if most > 0 => scaled.0.iter().position(|&ns| ns == most),
            _ => None,
        };
        let rest = total - scaled.total();
        scaled.0[largest.unwrap_or(Part::Unknown as usize)] += rest;
        scaled
    }

    #[cfg(test)]
    pub(crate) fn of(parts: &[(Part, i64)]) -> Self {
        let mut time = Self::default();
        for &(part, ns) in parts {
            time.0[part as usize] += ns;
        }
        time
    }
}
