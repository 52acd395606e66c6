//! The age of one message as a matrix, stage x part, in integer nanoseconds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a message is while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Sent to arrived, while our receive window was open: the venue and the network.
    InFlight,
    /// Sent to arrived, while our receive window was closed: the sender, because we did not read.
    HeldBack,
    /// Arrived to received: our kernel's socket queue.
    Queued,
    /// Received to handed off: our process.
    InApp,
}

impl Stage {
    /// Every stage, in the order in which a message passes them.
    pub const ALL: [Self; 4] = [Self::InFlight, Self::HeldBack, Self::Queued, Self::InApp];

    /// The name used in JSON, metrics and dashboards.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::HeldBack => "held_back",
            Self::Queued => "queued",
            Self::InApp => "in_app",
        }
    }
}

/// What the message waited for: in flight the network, otherwise the state of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// In flight. Negative when the venue's clock is ahead of ours, which is reported as skew.
    Network,
    /// The reader was running.
    OnCpu,
    /// Runnable and not running, with CPU time left in its quota.
    RunQueue,
    /// Runnable and not running, with its own or an ancestor cgroup's quota used up.
    Throttle,
    /// Asleep in futex(2).
    LockWait,
    /// Asleep in anything else.
    Blocked,
    /// Not observed; never spread over the other parts.
    Unknown,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 7] = [
        Self::Network,
        Self::OnCpu,
        Self::RunQueue,
        Self::Throttle,
        Self::LockWait,
        Self::Blocked,
        Self::Unknown,
    ];

    /// The name used in JSON, metrics and dashboards.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::OnCpu => "on_cpu",
            Self::RunQueue => "run_queue",
            Self::Throttle => "throttle",
            Self::LockWait => "lock_wait",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }
}

/// The age of one message by stage and part, nanoseconds.
///
/// Only [`Part::Network`] (and then only in [`Stage::InFlight`]) can be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    cells: [[i64; Part::ALL.len()]; Stage::ALL.len()],
}

impl Matrix {
    /// Number of cells.
    pub const CELLS: usize = Stage::ALL.len() * Part::ALL.len();

    /// All cells, stage by stage, in the order of [`Stage::ALL`] and [`Part::ALL`].
    #[must_use]
    pub const fn cells(&self) -> &[i64; Self::CELLS] {
        let (cells, _) = self.cells.as_flattened().as_chunks();
        &cells[0]
    }

    /// Nanoseconds in one cell.
    #[must_use]
    pub const fn get(&self, stage: Stage, part: Part) -> i64 {
        self.cells[stage as usize][part as usize]
    }

    /// Adds nanoseconds to one cell.
    pub const fn add(&mut self, stage: Stage, part: Part, ns: i64) {
        self.cells[stage as usize][part as usize] += ns;
    }

    /// The sum of a stage's parts.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> i64 {
        self.cells[stage as usize].iter().sum()
    }

    /// The sum of a part over the stages.
    #[must_use]
    pub fn part(&self, part: Part) -> i64 {
        Stage::ALL.iter().map(|&s| self.get(s, part)).sum()
    }

    /// The sum of all cells.
    #[must_use]
    pub fn total(&self) -> i64 {
        Stage::ALL.iter().map(|&s| self.stage(s)).sum()
    }

    /// Every cell other than zero.
    pub fn nonzero(&self) -> impl Iterator<Item = (Stage, Part, i64)> + '_ {
        Stage::ALL
            .into_iter()
            .flat_map(|s| Part::ALL.into_iter().map(move |p| (s, p)))
            .map(|(s, p)| (s, p, self.get(s, p)))
            .filter(|&(_, _, ns)| ns != 0)
    }
}

/// The error for cells that do not sum to the age, or for a negative cell that is not clock skew.
#[derive(Debug, PartialEq, Eq)]
pub struct Unbalanced {
    /// The age.
    pub age_ns: i64,
    /// The cells.
    pub matrix: Box<Matrix>,
}

impl fmt::Display for Unbalanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the cells sum to {} ns, the age is {} ns: {:?}",
            self.matrix.total(),
            self.age_ns,
            self.matrix
        )
    }
}

impl std::error::Error for Unbalanced {}

/// An age and the matrix that sums to it exactly. Only [`Split::new`] builds one, and it checks the
/// sum in every build profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Matrix", into = "Matrix")]
pub struct Split {
    age_ns: i64,
    matrix: Matrix,
}

impl Split {
    /// Joins an age with its matrix.
    ///
    /// # Errors
    /// [`Unbalanced`] when the cells do not sum to the age to the nanosecond, or when any cell but
    /// in-flight network is negative.
    pub fn new(age_ns: i64, matrix: Matrix) -> Result<Self, Unbalanced> {
        let negative = matrix
            .nonzero()
            .any(|(s, p, ns)| ns < 0 && (s, p) != (Stage::InFlight, Part::Network));
        if negative || matrix.total() != age_ns {
            return Err(Unbalanced {
                age_ns,
                matrix: Box::new(matrix),
            });
        }
        Ok(Self { age_ns, matrix })
    }

    /// The age, nanoseconds: hand-off less sent.
    #[must_use]
    pub const fn age_ns(&self) -> i64 {
        self.age_ns
    }

    /// The matrix.
    #[must_use]
    pub const fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// By how much the venue's clock is evidently ahead of ours, nanoseconds; 0 when it is not.
    #[must_use]
    pub fn skew_ns(&self) -> i64 {
        (-self.matrix.get(Stage::InFlight, Part::Network)).max(0)
    }
}

impl From<Split> for Matrix {
    fn from(split: Split) -> Self {
        split.matrix
    }
}

/// The age is what the cells sum to.
impl TryFrom<Matrix> for Split {
    type Error = Unbalanced;

    fn try_from(matrix: Matrix) -> Result<Self, Unbalanced> {
        let size: u128 = matrix
            .cells()
            .iter()
            .map(|ns| u128::from(ns.unsigned_abs()))
            .sum();
        if i64::try_from(size).is_err() {
            // The sum would overflow.
            return Err(Unbalanced {
                age_ns: 0,
                matrix: Box::new(matrix),
            });
        }
        Self::new(matrix.total(), matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_exact_or_not_built() {
        let mut m = Matrix::default();
        m.add(Stage::InFlight, Part::Network, 5);
        m.add(Stage::Queued, Part::LockWait, 7);
        assert_eq!(Split::new(12, m).map(|s| s.age_ns()), Ok(12));
        assert!(Split::new(13, m).is_err());
    }

    #[test]
    fn only_the_network_may_be_negative() {
        let mut m = Matrix::default();
        m.add(Stage::InFlight, Part::Network, -5);
        m.add(Stage::InApp, Part::OnCpu, 7);
        assert_eq!(Split::new(2, m).map(|s| s.skew_ns()), Ok(5));
        m.add(Stage::Queued, Part::RunQueue, -1);
        m.add(Stage::Queued, Part::OnCpu, 1);
        assert!(Split::new(2, m).is_err());
    }
}
