//! Figures that add up: histograms of ages, sums of parts, tallies and blame of a session.

mod ages;
mod blame;
mod buckets;
mod doing;
mod histograms;
mod sums;
mod tally;

pub use ages::Spread;
pub use blame::{BlameRow, Waits};
pub use doing::Samples;
pub use sums::Sums;
pub use tally::{Exclusions, Figures, HandOffs, Narrowed, Skew};

pub(crate) use ages::Ages;
pub(crate) use blame::{BlameTable, Names};
pub(crate) use buckets::{AGE_BOUNDS_NS, Counts, WAIT_BOUNDS_NS, ZERO_THRESHOLD};
pub(crate) use histograms::{Exemplar, Exemplars, Histograms};
pub(crate) use tally::Tally;
