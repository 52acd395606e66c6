//! Figures that add up: ages, sums of matrices, histograms, and the blame of a session.

mod activity;
mod ages;
mod blame;
mod buckets;
mod histograms;
mod sums;
mod tally;
mod waiting;

pub(crate) use activity::HolderSamples;
pub(crate) use ages::AgeQuantiles;
pub(crate) use blame::{BlameRow, WaitStats};
pub(crate) use sums::Sums;
pub(crate) use tally::{Exclusions, Figures};
pub(crate) use waiting::WaitingNow;

pub(crate) use ages::Ages;
pub(crate) use blame::{BlameTable, CulpritNames};
pub(crate) use buckets::{AGE_BOUNDS_NS, DurationCounts, WAIT_BOUNDS_NS, ZERO_THRESHOLD};
pub(crate) use histograms::{Histograms, MessageExemplar, MessageExemplars};
pub(crate) use tally::Tally;
